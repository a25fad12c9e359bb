"""The process that runs the candidate's Python on decoys and writes down what it would launch."""
