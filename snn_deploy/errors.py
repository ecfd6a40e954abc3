"""Every error that a user can cause, as one tree.

    SnnDeployError                      exit code 2: wrong use or unusable input
    ├── CheckpointError                 a checkpoint file that cannot be read or trusted
    │   └── UnsupportedNetworkError     read, but it describes a network we cannot express yet
    ├── DataError                       input data of the wrong shape, dtype or range
    ├── ConfigError                     an option, a configuration file or a number format
    ├── TargetError                     an unknown profile, or a rule of the chip that is broken
    ├── DeploymentError                 a deployment file that is damaged, foreign or too new
    ├── NetworkError                    a network that breaks a rule of its stage: a bug of a pass,
    │                                   or made by hand; the message names the pass and the node
    ├── OutputError                     a result that could not be written
    ├── BackendUnavailableError         exit code 3: the engine needs what is not installed
    └── BackendError                    an engine crashed or hung; its log is in the message

A message says what, where, how much against which limit, and what to do. The command line prints it
without a traceback and leaves with ``exit_code``; any other exception is a bug.
Exit code 1 is no error: a comparison was made and failed.
"""

from __future__ import annotations

from snn_deploy.printable import printable, shortened

__all__ = [
    "BackendError",
    "BackendUnavailableError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DeploymentError",
    "NetworkError",
    "OutputError",
    "SnnDeployError",
    "SnnDeployWarning",
    "TargetError",
    "UnsupportedNetworkError",
]


class SnnDeployError(Exception):
    """Root of the tree; ``exit_code`` is what the command line leaves with."""

    exit_code: int = 2

    def __str__(self) -> str:
        return printable(shortened(super().__str__()))  # names in it may be a stranger's


class CheckpointError(SnnDeployError):
    """A checkpoint file that cannot be read, or whose contents cannot be trusted."""


class UnsupportedNetworkError(CheckpointError):
    """A readable checkpoint of a network that cannot be expressed; the message names what."""


class DataError(SnnDeployError):
    """Input data of the wrong shape, dtype or range."""


class ConfigError(SnnDeployError):
    """An option or configuration value that is unknown or out of range."""


class TargetError(SnnDeployError):
    """An unknown hardware profile, or a rule of the chip that the network breaks."""


class DeploymentError(SnnDeployError):
    """A deployment file that is damaged, foreign, or written by a newer version."""


class NetworkError(SnnDeployError):
    """A network that breaks a rule of its stage."""


class OutputError(SnnDeployError):
    """A result file that could not be written; nothing was left behind."""


class BackendUnavailableError(SnnDeployError):
    """An engine whose package, driver or hardware is not there."""

    exit_code = 3


class BackendError(SnnDeployError):
    """An engine that crashed, hung, or gave something impossible."""


class SnnDeployWarning(UserWarning):
    """Something the user should know but that does not stop the work."""

    def __str__(self) -> str:
        return printable(shortened(super().__str__()))
