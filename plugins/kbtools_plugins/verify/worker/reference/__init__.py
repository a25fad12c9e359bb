"""The process that runs the reference: inputs, outputs, state and decoys."""
