/* mime.h - content types by file name extension. */
#ifndef SEALANE_SERVE_MIME_H
#define SEALANE_SERVE_MIME_H

/* The Content-Type of a file by its name's last extension, in any case; "application/octet-stream" when unknown. */
const char *mime_of_path(const char *path);

#endif
