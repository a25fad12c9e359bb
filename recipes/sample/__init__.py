"""The sources of the embedded sample: modules, kernels, texts, and the script that builds and verifies the rows."""
