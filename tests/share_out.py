"A command that shares out even short films, enters what is whole at once, and prints the progress and then what was added: share_out.py LIBRARY FOLDER CLUSTER"
import sys

from vfr_lib.library.cluster import Cluster
from vfr_lib.library.library import Library

if __name__ == "__main__":
    lib, shelf, address = sys.argv[1:]
    print(Library(lib, every=1).add(shelf, cluster=Cluster(address, task_frames=10, commit_seconds=0), progress=lambda *a: print(a, flush=True)))
