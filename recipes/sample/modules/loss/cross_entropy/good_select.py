import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def cross_entropy_kernel(z_ptr, label_ptr, out_ptr, rows, classes, R: tl.constexpr, C: tl.constexpr):
    r = tl.arange(0, R)
    c = tl.arange(0, C)
    live = (r[:, None] < rows) & (c[None, :] < classes)
    z = tl.load(z_ptr + r[:, None] * classes + c[None, :], mask=live, other=-1e30)
    label = tl.load(label_ptr + r, mask=r < rows, other=0)
    z = z - tl.max(z, axis=1)[:, None]
    lse = tl.log(tl.sum(tl.exp(z), axis=1))
    hit = tl.sum(tl.where(c[None, :] == label[:, None], z, 0.0), axis=1)
    tl.store(out_ptr, tl.sum(tl.where(r < rows, lse - hit, 0.0), axis=0) / rows)


class CrossEntropyNew(nn.Module):
    def forward(self, logits, labels):
        rows, classes = logits.shape
        out = logits.new_empty(())
        cross_entropy_kernel[(1,)](
            logits.contiguous(), labels.contiguous(), out, rows, classes,
            R=triton.next_power_of_2(rows), C=triton.next_power_of_2(classes),
        )
        return out
