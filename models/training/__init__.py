"""Training of the project's own networks: forging, channel, network, export, evaluation."""
