"""The style of the stages' figures is the core's, which draws reports in it."""

from kbtools.drawing import BLUE, GREEN, GREY, ORANGE, PALETTE, PURPLE, SKY, VERMILION, figure, save

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "PALETTE", "PURPLE", "SKY", "VERMILION", "figure", "save"]
