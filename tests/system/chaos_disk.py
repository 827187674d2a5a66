"""A disk of its own for MariaDB that can be filled in an instant: a file system in a file, where this process may
mount one."""
import contextlib
import os
import subprocess

from harness import until


class SmallDisk:

    def __init__(self, folder, image):
        self.folder, self.image, self.filler = folder, image, folder / "filler"

    @classmethod
    def make(cls, folder, image, gigabytes=8):
        """Mounted at `folder`; None where that cannot be had."""
        folder.mkdir(parents=True, exist_ok=True)
        with open(image, "wb") as file:
            file.truncate(gigabytes << 30)  # what is not written takes no room
        for argv in (["mkfs.ext4", "-q", "-F", "-m", "0", image], ["mount", "-o", "loop", image, folder]):
            try:
                if subprocess.run(argv, capture_output=True).returncode == 0:
                    continue
            except FileNotFoundError:
                pass
            image.unlink()
            return None
        return cls(folder, image)

    def fill(self):
        """Nothing more fits, but in what is allocated already."""
        with open(self.filler, "ab") as file:
            piece = 1 << 30
            while piece >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, piece)
                except OSError:
                    piece //= 2

    def is_full(self):
        return self.filler.exists()

    def free(self):
        with contextlib.suppress(FileNotFoundError):
            self.filler.unlink()

    def close(self):
        """When nobody uses it any more."""
        self.free()
        until("its disk is free", lambda: subprocess.run(["umount", self.folder], capture_output=True).returncode == 0)
