"""The families of PyTorch operations: which operation belongs where.

Keys are the last part of the dotted name, lower case and without underscores, so that `F.log_softmax`,
`nn.LogSoftmax` and `x.log_softmax` are one operation.
"""

from __future__ import annotations

_MEMBERS: dict[str, str] = {
    "elementwise": """add sub subtract rsub mul multiply div divide truedivide floordivide pow sqrt rsqrt
        square abs absolute neg negative exp exp2 expm1 log log2 log10 log1p sin cos tan asin
        acos atan atan2 arcsin arccos arctan arctan2 sinh cosh asinh acosh atanh reciprocal
        floor ceil round trunc frac sign sgn signbit clamp clip clampmin clampmax minimum
        maximum fmin fmax fmod remainder where lerp addcmul addcdiv eq ne lt le gt ge equal
        isnan isinf isfinite isclose nantonum logicaland logicalor logicalnot logicalxor
        bitwiseand bitwiseor bitwisexor bitwisenot bitwiseleftshift bitwiserightshift deg2rad
        rad2deg heaviside hypot copysign erf erfc expit logit sinc angle real imag conj
        maskedfill cross logaddexp logaddexp2 floatpower ldexp positive threshold lgamma arccosh
        arcsinh arctanh conjphysical fix frexp gcd lcm greater greaterequal less lessequal
        notequal nextafter polar complex isposinf isneginf isreal""",
    "activation": """relu relu6 leakyrelu prelu rrelu elu celu selu gelu silu swish mish sigmoid hardsigmoid
        hardswish hardtanh hardshrink softshrink tanhshrink softplus softsign logsigmoid tanh
        glu""",
    "reduction": """sum mean max min amax amin argmax argmin prod std var stdmean varmean norm vectornorm
        all any logsumexp median nanmedian mode nansum nanmean countnonzero cumsum cumprod
        cummax cummin logcumsumexp aminmax quantile trace histc bincount cosinesimilarity
        pairwisedistance cdist dist frobeniusnorm diff renorm nanquantile cov corrcoef trapezoid
        trapz cumulativetrapezoid gradient matrixnorm nuclearnorm pdist segmentreduce""",
    "norm": """batchnorm batchnorm1d batchnorm2d batchnorm3d syncbatchnorm layernorm groupnorm
        instancenorm instancenorm1d instancenorm2d instancenorm3d localresponsenorm rmsnorm
        normalize weightnorm spectralnorm lazybatchnorm1d lazybatchnorm2d lazybatchnorm3d
        crossmaplrn2d nativebatchnorm nativelayernorm nativegroupnorm""",
    "softmax": """softmax logsoftmax softmin softmax2d gumbelsoftmax""",
    "matmul": """matmul mm bmm mv dot vdot inner outer ger addmm addbmm baddbmm addmv addr linear
        bilinear lazylinear einsum tensordot chainmatmul multidot kron vecdot groupedmm scaledmm
        spmm smm""",
    "conv": """conv1d conv2d conv3d convtranspose1d convtranspose2d convtranspose3d convolution
        lazyconv2d unfold fold convtbc lazyconv1d lazyconv3d lazyconvtranspose1d
        lazyconvtranspose2d lazyconvtranspose3d""",
    "pooling": """maxpool1d maxpool2d maxpool3d avgpool1d avgpool2d avgpool3d adaptiveavgpool1d
        adaptiveavgpool2d adaptiveavgpool3d adaptivemaxpool1d adaptivemaxpool2d
        adaptivemaxpool3d fractionalmaxpool2d fractionalmaxpool3d lppool1d lppool2d maxunpool1d
        maxunpool2d maxunpool3d interpolate upsample upsamplingnearest2d upsamplingbilinear2d
        gridsample affinegrid lppool3d upsamplebilinear upsamplenearest maxpool1dwithindices
        maxpool2dwithindices maxpool3dwithindices""",
    "attention": """scaleddotproductattention multiheadattention multiheadattentionforward transformer
        transformerencoder transformerencoderlayer transformerdecoder transformerdecoderlayer
        flexattention""",
    "recurrent": """lstm gru rnn lstmcell grucell rnncell rnntanhcell rnnrelucell""",
    "loss": """mseloss l1loss smoothl1loss huberloss crossentropy crossentropyloss nllloss nllloss2d
        kldiv kldivloss binarycrossentropy binarycrossentropywithlogits bceloss
        bcewithlogitsloss cosineembeddingloss marginrankingloss tripletmarginloss
        tripletmarginwithdistanceloss hingeembeddingloss poissonnllloss gaussiannllloss ctcloss
        softmarginloss multimarginloss multilabelmarginloss multilabelsoftmarginloss
        adaptivelogsoftmaxwithloss linearcrossentropyloss""",
    "indexing": """gather scatter scatteradd scatterreduce indexselect indexadd indexcopy indexfill
        indexput take takealongdim maskedselect maskedscatter nonzero argwhere embedding
        embeddingbag onehot topk sort argsort kthvalue unique uniqueconsecutive searchsorted
        bucketize msort isin put indexreduce histogram filldiagonal""",
    "linalg": """qr svd svdvals eig eigh eigvals eigvalsh lu lufactor lusolve luunpack ldlfactor ldlsolve
        cholesky choleskyex choleskyinverse choleskysolve solve solvetriangular triangularsolve
        solveex inv inverse invex pinv pinverse det logdet slogdet lstsq matrixexp matrixpower
        matrixrank cond householderproduct ormqr geqrf tensorinv tensorsolve ldlfactorex
        lufactorex lobpcg svdlowrank pcalowrank orgqr""",
    "fft": """fft ifft fft2 ifft2 fftn ifftn rfft irfft rfft2 irfft2 rfftn irfftn hfft ihfft stft
        istft hfft2 ihfft2 hfftn ihfftn""",
    "special": """airyai besselj0 besselj1 bessely0 bessely1 modifiedbesseli0 modifiedbesseli1
        modifiedbesselk0 modifiedbesselk1 scaledmodifiedbesselk0 sphericalbesselj0 i0 i0e i1 i1e
        digamma polygamma multigammaln mvlgamma gammainc gammaincc igamma igammac gammaln zeta
        erfinv erfcx ndtr ndtri logndtr entr xlogy xlog1py psi chebyshevpolynomialt
        chebyshevpolynomialu hermitepolynomialh laguerrepolynomiall legendrepolynomialp
        chebyshevpolynomialv chebyshevpolynomialw hermitepolynomialhe
        shiftedchebyshevpolynomialt shiftedchebyshevpolynomialu scaledmodifiedbesselk1""",
    "random": """rand randn randint randlike randnlike randintlike randperm bernoulli multinomial normal
        uniform poisson dropout dropout1d dropout2d dropout3d alphadropout featurealphadropout
        exponential binomial sample nativedropout geometric cauchy lognormal""",
    "optimizer": """adam adamw sgd rmsprop adagrad adadelta adamax nadam radam lbfgs rprop""",
    "creation": """zeros ones full zeroslike oneslike fulllike arange linspace logspace eye tril triu diag
        diagembed tensor newzeros newones newfull range vander trilindices triuindices diagflat
        blockdiag fill zero scalartensor fftfreq rfftfreq""",
    "shape": """view reshape flatten unflatten permute permutecopy transpose swapaxes swapdims movedim t
        mt squeeze unsqueeze expand expandas repeat repeatinterleave tile cat concat concatenate
        stack hstack vstack dstack split chunk unbind narrow slice select roll flip fliplr
        flipud rot90 pad diagonal broadcastto broadcasttensors clone copy contiguous
        channelshuffle pixelshuffle pixelunshuffle zeropad2d reflectionpad1d reflectionpad2d
        replicationpad2d constantpad2d meshgrid cartesianprod asstrided block moveaxis ravel
        adjoint reshapeas viewas splitwithsizes tensorsplit vsplit hsplit dsplit columnstack
        rowstack atleast1d atleast2d atleast3d zeropad1d zeropad3d reflectionpad3d
        replicationpad1d replicationpad3d constantpad1d constantpad3d circularpad1d
        circularpad2d circularpad3d diagonalscatter slicescatter selectscatter viewascomplex
        viewasreal resizeas fftshift ifftshift""",
}
FAMILY: dict[str, str] = {op: family for family, ops in _MEMBERS.items() for op in ops.split()}


def words(text: str) -> frozenset[str]:
    """The set of the whitespace-separated words of `text`."""
    return frozenset(text.split())


# Layers that own weights, and how an operator of the language is called as an operation.
WEIGHTED = words(
    """linear lazylinear bilinear conv1d conv2d conv3d convtranspose1d convtranspose2d convtranspose3d
    lazyconv2d batchnorm1d batchnorm2d batchnorm3d layernorm groupnorm rmsnorm embedding
    embeddingbag prelu lstm gru rnn lstmcell grucell rnncell multiheadattention transformer
    transformerencoderlayer transformerdecoderlayer parameter"""
)
OPERATORS = {
    "Add": """add""",
    "Sub": """sub""",
    "Mult": """mul""",
    "Div": """div""",
    "Pow": """pow""",
    "Mod": """remainder""",
    "FloorDiv": """floordivide""",
    "USub": """neg""",
    "MatMult": """matmul""",
    "BitAnd": """bitwiseand""",
    "BitOr": """bitwiseor""",
    "BitXor": """bitwisexor""",
    "Invert": """bitwisenot""",
}
# Arithmetic written with an operator weighs less than a called operation when fused operations are counted.
ARITHMETIC = frozenset(OPERATORS.values()) - {"matmul"}
MOVES_DATA_ONLY = frozenset({"shape", "creation"})
_SUFFIXES = (".default", ".out", ".Tensor")


def op_key(path: str) -> str:
    """`torch.nn.functional.log_softmax` -> `logsoftmax`."""
    for suffix in _SUFFIXES:
        path = path.removesuffix(suffix)
    return path.rsplit(".", 1)[-1].lower().replace("_", "")


def family_of(path: str) -> str | None:
    """The family of a torch object by its dotted path; None for what computes nothing or is not known."""
    return "random" if ".distributions." in path else FAMILY.get(op_key(path))
