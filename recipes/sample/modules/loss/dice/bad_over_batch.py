import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def dice_kernel(z_ptr, m_ptr, out_ptr, size, smooth, images, BLOCK: tl.constexpr):
    image = tl.program_id(0)
    i = tl.arange(0, BLOCK)
    live = i < size
    z = tl.load(z_ptr + image * size + i, mask=live, other=0.0)
    m = tl.load(m_ptr + image * size + i, mask=live, other=0.0)
    p = tl.where(live, tl.sigmoid(z), 0.0)
    overlap = 2.0 * tl.sum(p * m, axis=0) + smooth
    total = tl.sum(p, axis=0) + tl.sum(m, axis=0) + smooth
    tl.atomic_add(out_ptr, (1.0 - overlap / total) / images)


class DiceLossNew(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, mask):
        images = logits.shape[0]
        size = logits.numel() // images
        out = torch.zeros((), device=logits.device)
        dice_kernel[(1,)](
            logits.contiguous(), mask.contiguous(), out, images * size, self.smooth, 1,
            BLOCK=triton.next_power_of_2(images * size),
        )
        return out
