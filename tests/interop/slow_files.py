"""A folder whose files give their bytes only when a case says so: a file system in this process, through /dev/fuse."""
import ctypes
import errno
import os
import select
import stat
import struct
import threading

from harness import NotRun, wait_until

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 18, 25, 26
OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 27, 29, 36, 42
DIRECT_IO = 1        # open: no page cache, reads come here as they are
READ_MAX = 32768     # longer ones come in pieces, the next when the one before is answered
MNT_DETACH = 2


class SlowFiles:
    """As a context. files: name -> bytes. A read waits in `reads` until answer() is called, or `is_quick` was set."""

    def __init__(self, folder, files):
        self.folder, self.files = folder, files
        self.names = [""] + sorted(files)  # node n is names[n - 1], the folder itself node 1
        self.reads = []                    # (unique, name, offset, length)
        self.is_quick = False
        self.is_polite = True              # a reader that is interrupted is let go
        self.libc = ctypes.CDLL(None, use_errno=True)
        try:
            self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise NotRun(f"/dev/fuse: {error.strerror}") from None
        folder.mkdir()
        options = f"fd={self.fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},max_read={READ_MAX}"
        if self.libc.mount(b"slow", bytes(folder), b"fuse.slow", 0, options.encode()) != 0:
            reason = os.strerror(ctypes.get_errno())
            os.close(self.fd)
            folder.rmdir()
            raise NotRun(f"a FUSE folder cannot be mounted here: {reason}")
        self.end_in, self.end_out = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.end_out)
        self.thread.join(10)
        os.close(self.fd)  # the kernel ends what still waits, with an error
        os.close(self.end_in)
        self.libc.umount2(bytes(self.folder), MNT_DETACH)
        self.folder.rmdir()

    def waiting(self, name, n=1):
        """The reads of a file that wait, once there are n."""
        wait_until(lambda: sum(r[1] == name for r in self.reads) >= n, 10, f"{name} is not read")
        return [r for r in self.reads if r[1] == name]

    def answer(self, read):
        self.reads.remove(read)
        unique, name, offset, length = read
        self._reply(unique, self.files[name][offset:offset + length])

    def _reply(self, unique, body=b"", error=0):
        try:
            os.write(self.fd, struct.pack("=IiQ", 16 + len(body), -error, unique) + body)
        except FileNotFoundError:
            pass  # nobody waits for it any more

    def _attributes(self, node):
        name = self.names[node - 1]
        size = len(self.files[name]) if name else 0
        mode = stat.S_IFREG | 0o444 if name else stat.S_IFDIR | 0o555
        return struct.pack("=6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, os.getuid(), os.getgid(), 0, 4096, 0)

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.fd, self.end_in], [], [])
            if self.end_in in ready:
                return
            try:
                self._handle(os.read(self.fd, 1 << 18))
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return

    def _handle(self, request):
        _, what, unique, node = struct.unpack_from("=IIQQ", request)
        body = request[40:]
        if what == INIT:
            self._reply(unique, struct.pack("=4I2H2I2H8I", 7, 31, 0, 0, 16, 12, 65536, 1, 16, 0, *[0] * 8))
        elif what == LOOKUP:
            name = body.rstrip(b"\0").decode()
            if name not in self.files:
                self._reply(unique, error=errno.ENOENT)
                return
            node = self.names.index(name) + 1
            self._reply(unique, struct.pack("=4Q2I", node, 0, 60, 60, 0, 0) + self._attributes(node))
        elif what == GETATTR:
            self._reply(unique, struct.pack("=QII", 60, 0, 0) + self._attributes(node))
        elif what in (OPEN, OPENDIR):
            self._reply(unique, struct.pack("=QII", 0, DIRECT_IO, 0))
        elif what == READ:
            _, offset, length = struct.unpack_from("=QQI", body)
            read = (unique, self.names[node - 1], offset, length)
            self.reads.append(read)
            if self.is_quick:
                self.answer(read)
        elif what in (RELEASE, RELEASEDIR, FLUSH):
            self._reply(unique)
        elif what == INTERRUPT:
            read = next((r for r in self.reads if r[0] == struct.unpack_from("=Q", body)[0]), None)
            if read and self.is_polite:
                self.reads.remove(read)
                self._reply(read[0], error=errno.EINTR)
        elif what not in (FORGET, BATCH_FORGET):
            self._reply(unique, error=errno.ENOSYS)
