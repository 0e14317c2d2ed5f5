/// zlib of the system: the gzip and deflate content codings.
#include <zlib.h>
