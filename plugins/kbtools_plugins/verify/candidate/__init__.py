"""The candidate as text: its code, names, kernels and what static rules say; nothing here runs it or imports torch."""
