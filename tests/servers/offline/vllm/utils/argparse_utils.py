"""As in vLLM: its parser of options."""

from argparse import ArgumentParser


class FlexibleArgumentParser(ArgumentParser):
    """Takes options as `vllm serve` does."""
