#!/usr/bin/env bash
# A real Slurm on this one machine: munge, accounting, the controller, and a slurmd for each of the nodes cpu1,
# cpu2, gpu1, gpu2 (partitions cpu and gpu; urgent, which preempts both). A GPU is a stand-in device file.
# For Debian and Ubuntu, as root; installs what is missing with apt. Safe to run again. down.sh ends it.
#
#   SLURM_LAB=DIR                        state, logs and pid files (slurm-lab in the temporary folder)
#   NODE_CPUS=16 NODE_MEM=64000          what each node claims to have; GPUS_PER_NODE=2
set -euo pipefail
LAB=${SLURM_LAB:-${TMPDIR:-/tmp}/slurm-lab}
NODE_CPUS=${NODE_CPUS:-16} NODE_MEM=${NODE_MEM:-64000} GPUS_PER_NODE=${GPUS_PER_NODE:-2}
NODES=(cpu1 cpu2 gpu1 gpu2)
HOST=$(hostname -s)
export PATH=$PATH:/usr/sbin:/sbin

for program in munged slurmctld slurmd squeue slurmdbd mariadbd; do
  command -v "$program" >/dev/null && continue
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client slurm-wlm-basic-plugins \
    munge slurmdbd mariadb-server >/dev/null
  break
done

mkdir -p "$LAB"/{etc,run,log,state,spool,dev}
chmod 755 "$LAB" "$LAB"/*
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

other=$(readlink /etc/slurm/slurm.conf || true) other=${other%/etc/slurm.conf}
if [ -n "$other" ] && [ "$other" != "$LAB" ] && alive "$other/run/slurmctld.pid"; then
  echo "another test cluster is up; end it with SLURM_LAB=$other down.sh, or use it" >&2
  exit 1
fi

# A job step looks for /etc/slurm, whatever SLURM_CONF says; a real cluster's files there are not touched.
mkdir -p /etc/slurm
for name in slurm.conf gres.conf cgroup.conf slurmdbd.conf; do
  if [ -e "/etc/slurm/$name" ] && [ ! -L "/etc/slurm/$name" ]; then
    echo "/etc/slurm/$name: this machine belongs to a real cluster; nothing was started" >&2
    exit 1
  fi
  ln -sfn "$LAB/etc/$name" "/etc/slurm/$name"
done

for device in $(seq 0 $((GPUS_PER_NODE - 1))); do # Slurm numbers devices, so each needs a file
  [ -e "$LAB/dev/nvidia$device" ] || mknod "$LAB/dev/nvidia$device" c 1 3 2>/dev/null || touch "$LAB/dev/nvidia$device"
done
cat > "$LAB/etc/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$LAB/run/munge.sock
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
ReturnToService=2
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool/%n
SlurmctldPidFile=$LAB/run/slurmctld.pid
SlurmdPidFile=$LAB/run/slurmd.%n.pid
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd.%n.log
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MinJobAge=600
SlurmctldTimeout=30
SlurmdTimeout=30
InactiveLimit=0
KillWait=5
Waittime=0
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass=$LAB/run/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
GresTypes=gpu
CONF
port=17000
for node in "${NODES[@]}"; do
  port=$((port + 1)) gres=
  [[ $node == gpu* ]] && gres="Gres=gpu:$GPUS_PER_NODE"
  echo "NodeName=$node NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$port CPUs=$NODE_CPUS RealMemory=$NODE_MEM $gres"
done >> "$LAB/etc/slurm.conf"
cat >> "$LAB/etc/slurm.conf" <<CONF
PartitionName=cpu Nodes=cpu[1-2] Default=YES MaxTime=24:00:00 DefMemPerCPU=500
PartitionName=gpu Nodes=gpu[1-2] MaxTime=24:00:00 DefMemPerCPU=500
PartitionName=urgent Nodes=cpu[1-2],gpu[1-2] MaxTime=1:00:00 DefMemPerCPU=500 PriorityTier=10
CONF
echo "NodeName=gpu[1-2] Name=gpu File=$LAB/dev/nvidia[0-$((GPUS_PER_NODE - 1))]" > "$LAB/etc/gres.conf"
printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=%s/cgroup\nCgroupAutomount=no\n' "$LAB" > "$LAB/etc/cgroup.conf"
cat > "$LAB/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$LAB/run/munge.sock
DbdHost=$HOST
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
PidFile=$LAB/run/slurmdbd.pid
LogFile=$LAB/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CONF
chmod 600 "$LAB/etc/slurmdbd.conf"
export SLURM_CONF=$LAB/etc/slurm.conf

if ! alive "$LAB/run/munged.pid"; then
  rm -f "$LAB"/run/munge.sock*
  [ -s "$LAB/etc/munge.key" ] || (umask 077; head -c 128 /dev/urandom > "$LAB/etc/munge.key")
  munged --force --key-file="$LAB/etc/munge.key" --socket="$LAB/run/munge.sock" --num-threads=2 \
    --pid-file="$LAB/run/munged.pid" --log-file="$LAB/log/munged.log" --seed-file="$LAB/run/munged.seed" \
    2>>"$LAB/log/munged.err"
fi

SOCKET=$LAB/run/mysql.sock
if ! alive "$LAB/run/mariadbd.pid"; then
  [ -d "$LAB/mysql/mysql" ] || mariadb-install-db --no-defaults --datadir="$LAB/mysql" --user=root \
    --auth-root-authentication-method=socket --skip-test-db >"$LAB/log/mariadb-install.log" 2>&1
  setsid mariadbd --no-defaults --user=root --datadir="$LAB/mysql" --socket="$SOCKET" --skip-networking \
    --pid-file="$LAB/run/mariadbd.pid" --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 \
    --innodb-flush-log-at-trx-commit=0 >"$LAB/log/mariadbd.log" 2>&1 </dev/null &
  for _ in $(seq 300); do mariadb-admin --no-defaults --socket="$SOCKET" ping >/dev/null 2>&1 && break; sleep 0.1; done
fi
mariadb --no-defaults --socket="$SOCKET" -e "CREATE DATABASE IF NOT EXISTS slurm_acct_db"
if ! alive "$LAB/run/slurmdbd.pid"; then
  MYSQL_UNIX_PORT=$SOCKET slurmdbd
  for _ in $(seq 300); do timeout 2 sacctmgr -n show cluster >/dev/null 2>&1 && break; sleep 0.1; done
fi
for entity in "cluster lab" "account lab cluster=lab" "user root account=lab"; do
  # shellcheck disable=SC2086
  sacctmgr -i add $entity >/dev/null || true # it is there already
done

alive "$LAB/run/slurmctld.pid" || slurmctld
for node in "${NODES[@]}"; do
  mkdir -p "$LAB/spool/$node"
  alive "$LAB/run/slurmd.$node.pid" || slurmd -N "$node"
done
for _ in $(seq 300); do
  ready=$(timeout 5 sinfo -h -N -p urgent -o '%N %T' 2>/dev/null | grep -cE ' (idle|mixed|allocated|completing)$' || true)
  [ "$ready" -ge ${#NODES[@]} ] && break
  sleep 0.1
done
sinfo -N -o '%10N %10P %8T %4c %8m %G'
[ "$ready" -ge ${#NODES[@]} ] || { echo "not all nodes came up; see $LAB/log" >&2; exit 1; }
