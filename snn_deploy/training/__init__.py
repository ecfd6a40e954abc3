"""Training and quantisation-aware fine-tuning of the networks that can be converted.

Everything here needs PyTorch (``pip install 'snn-deploy[torch]'``): call
:func:`snn_deploy.training.availability.require_torch` before importing another module of it.
"""
