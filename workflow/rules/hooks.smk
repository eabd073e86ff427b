"""Hooks: what happens around all jobs, not in dry runs and not inside of jobs.

Makes and removes: .run.json, which names the run that is making the results.
"""

from protloc.cluster.earlier import end_run, same_command_again, start_run
from protloc.cluster.jobs import jobs_block, slurm_name
from protloc.cluster.states import understand_states
from protloc.estimate.forecast import forecast
from protloc.estimate.size import size_of
from protloc.study_variants import token_warnings

RUN = {}  # this run's claim on the results


onstart:
    again = lambda: same_command_again(workflow.rundir)
    try:
        RUN.update(start_run(Path(RESULTS), slurm_name(workflow), again))
    except InputError as error:
        raise WorkflowError(str(error)) from None
    for line in token_warnings(STUDY, REGISTRY, size_of(STUDY).field_um):
        print(f"Warning: {line}", flush=True)
    if not workflow.local_exec:
        partitions = getattr(workflow.executor_settings, "partition_config", None)
        print(jobs_block(workflow.dag.needrun_jobs(), partitions), flush=True)
        if not SIMULATED:  # counting the networks' arithmetic takes some seconds
            print("\n".join(forecast(STUDY, REGISTRY)), flush=True)
        understand_states()


onsuccess:
    end_run(Path(RESULTS), RUN)
    print(
        f"Done. Open {RESULTS}/index.html; the numbers are in {RESULTS}/*.parquet, explained in README.md."
    )


onerror:
    end_run(Path(RESULTS), RUN)
    print(
        f"Not finished. The lines marked ERROR say why; each rule's log is below {RESULTS}/logs/. "
        "To see what there is: the same command with --config partial=True."
    )
