"""Run an experiment on a Slurm cluster: jobs of dask-jobqueue are the workers, `xbar run` drives them from here.

Needs the `slurm` extra (`pip install xbar-cli[slurm]`) and a file system that the nodes share with this one. Start it
in a session that lives as long as the sweep (tmux, or a small job of its own); what is done stays done, so a sweep that
was cut off goes on with the same command.

    python experiments/slurm/run.py experiments/schemes.toml --jobs 8 --partition short --walltime 02:00:00

Everything behind `--` goes to `xbar run`, such as `-- --retries 3 --timeout 3600 --out /scratch/me/schemes`.
"""

import argparse
import subprocess
import sys

from dask_jobqueue import SLURMCluster


def main() -> int:
    """Start the workers and run the experiment on them; the exit code of `xbar run`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment")
    parser.add_argument("--jobs", type=int, default=4, help="Slurm jobs, one worker with one core each")
    parser.add_argument("--partition", help="of Slurm")
    parser.add_argument("--account", help="of Slurm")
    parser.add_argument("--memory", default="4GB", help="of each job")
    parser.add_argument("--walltime", default="01:00:00", help="of each job; a job that ends is replaced")
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    words, passed_on = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]
    with SLURMCluster(
        queue=words.partition,
        account=words.account,
        cores=1,
        processes=1,
        memory=words.memory,
        walltime=words.walltime,
        # the bits of results depend on both
        job_script_prologue=["export NPROC=1", "export OPENBLAS_NUM_THREADS=1"],
    ) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=words.jobs)
        command = ["xbar", "run", words.experiment, "--scheduler", cluster.scheduler_address, *passed_on]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
