"""A Slurm cluster of one node, this machine, with folders and ports of its own and two GPUs that are none."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

DAEMONS = ("slurmctld", "slurmd")
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
# How long a requeued job waits before it starts again follows from this; 120 seconds if not given.
AuthInfo=cred_expire=10
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
GresTypes=gpu
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
SACCT = """\
#!/bin/sh
# What submitit asks of accounting, from a cluster that has none: sacct -o JobID,State,NodeList --parsable2 -j ID ...
echo 'JobID|State|NodeList'
squeue --noheader --array --states=all --format='%i|%T|%N'
"""


def missing() -> str | None:
    """Install Slurm where that is possible; why it is not, where it is not."""
    if all(shutil.which(name) for name in (*DAEMONS, "sbatch", "srun")):
        return None if os.geteuid() == 0 else "starting Slurm needs root"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "installing Slurm needs root and apt"
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "slurm-wlm"]):
        done = subprocess.run(["apt-get", *words], env=env, capture_output=True, text=True)
    return None if done.returncode == 0 else f"apt-get cannot install slurm-wlm: {done.stderr.strip()[-200:]}"


class Slurm:
    """Started on entry, stopped by process id on exit. `env` is what lets commands find it.

    Args:
        folder: for all that it writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.host = folder, socket.gethostname().split(".")[0]
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 - 512
        (folder / "slurm.conf").write_text(
            CONF.format(host=self.host, ports=free_ports(), folder=folder, cores=os.cpu_count(), memory=memory)
        )
        gpus = [f"NodeName={self.host} Name=gpu File=/dev/{name}\n" for name in ("null", "zero")]
        (folder / "gres.conf").write_text("".join(gpus))
        sacct = folder / "bin" / "sacct"
        sacct.parent.mkdir()
        sacct.write_text(SACCT)
        sacct.chmod(0o755)
        path = f"{sacct.parent}:{os.environ['PATH']}"
        self.env = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path, "SLURMD_NODENAME": self.host}

    def ask(self, *words: str) -> str:
        """The answer of a Slurm command; empty where it failed."""
        return subprocess.run(words, env=os.environ | self.env, capture_output=True, text=True).stdout

    def __enter__(self) -> "Slurm":
        """Start, and wait for the node."""
        for words in (["slurmctld", "-c"], ["slurmd", "-N", self.host]):
            subprocess.run(words, env=os.environ | self.env, check=True, capture_output=True)
        deadline = time.monotonic() + 20
        while (state := self.ask("sinfo", "-h", "-o", "%T").strip()) != "idle":
            if time.monotonic() > deadline:
                self.__exit__()
                raise TimeoutError(f"the node is {state!r}: {(self.folder / 'slurmctld.log').read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        """End jobs and daemons."""
        self.ask("scancel", "--full", "--signal=KILL", "--user=root")
        for name in reversed(DAEMONS):
            pid = int((self.folder / f"{name}.pid").read_text())
            for how in (15, 9):
                if alive(pid):
                    os.kill(pid, how)
                deadline = time.monotonic() + 5
                while alive(pid) and time.monotonic() < deadline:
                    time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_ports() -> tuple[int, int]:
    """Two ports of the loopback that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
