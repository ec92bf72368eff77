"""Our Triton kernels, one family a file. Each public function says shapes and units, and names the plain torch
function that it is tested against."""
