/* zlib's deflate with a gzip header, into a growing buffer. */
#include "adapters/gzip.h"

#include "util/alloc.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#define WINDOW_BITS_GZIP (15 + 16) /* zlib: the largest window, and a gzip header */
#define MEMORY_LEVEL     8
#define ROOM_BYTES       16384

struct gzip {
    z_stream stream;
};

static voidpf zlib_alloc(voidpf opaque, uInt count, uInt size)
{
    (void)opaque; /* we have no arena */
    return mem_new(count, size);
}

static void zlib_free(voidpf opaque, voidpf address)
{
    (void)opaque;
    free(address);
}

struct gzip *gzip_new(int level)
{
    struct gzip *gzip = mem_new(1, sizeof(*gzip));
    int error;

    gzip->stream.zalloc = zlib_alloc;
    gzip->stream.zfree = zlib_free;
    error =
        deflateInit2(&gzip->stream, level, Z_DEFLATED, WINDOW_BITS_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    assert(error == Z_OK); /* memory cannot run out, and the parameters are ours */
    (void)error;
    return gzip;
}

void gzip_free(struct gzip *gzip)
{
    if (!gzip)
        return;
    (void)deflateEnd(&gzip->stream); /* says that output was left, which may be so */
    free(gzip);
}

/* Runs deflate until it wants no more room. */
static void deflate_into(struct gzip *gzip, int flush, struct buf *out)
{
    do {
        gzip->stream.next_out = (Bytef *)buf_reserve(out, ROOM_BYTES);
        gzip->stream.avail_out = ROOM_BYTES;
        (void)deflate(&gzip->stream, flush); /* an error is impossible with a sound stream and room */
        out->len += ROOM_BYTES - gzip->stream.avail_out;
    } while (gzip->stream.avail_out == 0);
}

void gzip_add(struct gzip *gzip, struct slice in, struct buf *out)
{
    while (in.len) {
        uInt part = in.len < UINT_MAX ? (uInt)in.len : UINT_MAX;

        gzip->stream.next_in = (z_const Bytef *)in.data;
        gzip->stream.avail_in = part;
        deflate_into(gzip, Z_NO_FLUSH, out);
        in = slice_of(in.data + part, in.len - part);
    }
}

void gzip_finish(struct gzip *gzip, struct buf *out)
{
    gzip->stream.avail_in = 0;
    deflate_into(gzip, Z_FINISH, out);
}
