time python -c "import torch,numba"
time ( python -c "import numpy, matplotlib.figure, matplotlib.backends.backend_agg" & python -c "import torch, numba"; wait )
time python -c "import numpy, matplotlib.figure, matplotlib.backends.backend_agg"
