"""What runs inside the sandboxed processes, the only part that imports torch and triton."""
