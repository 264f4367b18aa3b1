// Jobs as answers show them.
import { createHmac } from "node:crypto";
import { batch, get, key } from "./table.js";

let markerSecret;

/** Reads what markers are sealed with. */
export async function warmMarkers() {
  markerSecret = Buffer.from((await get(key("MARKERS", "SECRET"))).data.hex, "hex");
}

/** The object without what is absent. */
const present = (object) => {
  for (const name in object) if (object[name] === undefined || object[name] === null) delete object[name];
  return object;
};

function jobView({ data: job, due_at, last_scheduled_at }) {
  const { current } = job;
  return present({
    id: job.id,
    memberId: job.createdBy,
    jobKey: job.jobKey,
    version: current.number,
    currentVersion: current.number,
    draftVersion: job.draftVersion,
    basedOnVersion: current.basedOn,
    status: job.status,
    clusterId: current.clusterId,
    description: job.description,
    config: current.config,
    timeoutSeconds: current.timeoutSeconds,
    sourceConfig: current.sourceConfig,
    dependsOn: current.dependsOn,
    cronExpression: current.schedule.cronExpression,
    cronTimezone: current.schedule.cronTimezone,
    concurrencyPolicy: current.schedule.concurrencyPolicy,
    maxConcurrentRuns: current.schedule.maxConcurrentRuns,
    missedSchedulePolicy: current.schedule.missedSchedulePolicy,
    nextRunAt: due_at,
    lastScheduledAt: last_scheduled_at,
    createdAt: job.createdAt,
    createdBy: job.createdBy,
    updatedAt: job.updatedAt,
    updatedBy: job.updatedBy,
  });
}

const runView = ({ data: run }) =>
  present({
    id: run.id,
    jobId: run.jobId,
    jobVersion: run.jobVersion,
    status: run.status,
    statusMessage: run.statusMessage,
    hold: run.hold,
    resourceCleanupMode: run.resourceCleanupMode,
    trigger: run.trigger,
    scheduledAt: run.scheduledAt,
    replacedBy: run.replacedBy,
    dispatchedAt: run.dispatchedAt,
    runnerStartedAt: run.runnerStartedAt,
    runnerCompletedAt: run.runnerCompletedAt,
    runnerExecutionTimeUs: run.runnerExecutionTimeUs,
    finishedAt: run.finishedAt,
    cleanedAt: run.cleanedAt,
    results: run.results,
    createdAt: run.createdAt,
    createdBy: run.createdBy,
    updatedAt: run.updatedAt,
    updatedBy: run.updatedBy,
  });

export const jobItem = ({ data: job, latest_run_id }) =>
  present({ jobId: job.id, latestJobRunId: latest_run_id, teamIds: job.teamIds });

/** The jobs' teams and latest runs in one read, and how many jobs there are in all. */
export async function included(organization, jobs) {
  const partition = (name) => `O#${organization}#${name}`;
  const teams = [...new Set(jobs.flatMap((row) => row.data.teamIds))].map((team) => key(partition("TEAMS"), team));
  const runs = jobs
    .filter((row) => row.latest_run_id)
    .map((row) => key(partition(`JOB#${row.data.id}#RUNS`), row.latest_run_id));
  const count = key(partition("SELF"), "COUNT#JOBS");
  const rows = await batch([...teams, ...runs, count]);
  const found = (keys) => keys.map(rows.of).filter(Boolean);
  return {
    total: rows.of(count)?.n ?? 0,
    included: {
      jobs: jobs.map(jobView),
      jobRuns: found(runs).map(runView),
      teams: found(teams).map((row) => row.data),
    },
  };
}

/** Where a list goes on after a row. */
export function marker(partition, last) {
  const [position, issuedAt] = [[last.sk], Math.floor(Date.now() / 1000)];
  const sealed = JSON.stringify([`${partition}|None|false|None|None`, position, issuedAt]);
  const mac = createHmac("sha256", markerSecret).update(sealed).digest().subarray(0, 16).toString("base64url");
  return Buffer.from(JSON.stringify({ v: 2, k: position, t: issuedAt, m: mac })).toString("base64url");
}
