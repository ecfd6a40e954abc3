"""snn-deploy: trained spiking state-space networks on neuromorphic hardware."""
