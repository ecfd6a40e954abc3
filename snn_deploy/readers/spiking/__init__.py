"""Live ``nn.Sequential``s of torch's layers and neurons of snnTorch, Norse or Sinabs."""
