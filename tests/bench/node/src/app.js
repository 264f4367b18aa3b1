// `GET /workloads/jobs/{job}` and `GET /workloads/jobs`, the first page of it.
import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { authenticate, warmKeys } from "./caller.js";
import { included, jobItem, marker, warmMarkers } from "./jobs.js";
import { Problem } from "./problem.js";
import { first, get, key } from "./table.js";

export const warm = () => Promise.all([warmKeys(), warmMarkers()]);

export const app = new Hono().basePath("/api/v1/workloads");

app.use(async (c, next) => {
  const requestId = randomUUID();
  c.set("requestId", requestId);
  await next();
  c.header("x-request-id", requestId);
});

app.onError((error, c) => {
  const problem = error instanceof Problem ? error : new Problem(500);
  return c.json(problem.body(c.get("requestId")), problem.status, { "content-type": "application/problem+json" });
});

app.get("/jobs/:job{[A-Z0-9]{1,20}}", async (c) => {
  const caller = await authenticate(c.req.raw.headers);
  const row = await get(key(`O#${caller.organization}#JOBS`, c.req.param("job")));
  if (!row) throw new Problem(404);
  caller.requireToViewInAny(row.data.teamIds);
  const links = await included(caller.organization, [row]);
  return c.json({ item: jobItem(row), included: links.included }, 200, { etag: `"${row.version}"` });
});

app.get("/jobs", async (c) => {
  const caller = await authenticate(c.req.raw.headers);
  caller.requireToView();
  const limit = Number(c.req.query("limit") ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Problem(400);
  const partition = `O#${caller.organization}#JOBS`;
  // One more than asked for tells whether there is a next page.
  const found = await first(partition, limit + 1);
  const rows = found.slice(0, limit);
  const { total, included: links } = await included(caller.organization, rows);
  const more = found.length > limit ? { marker: marker(partition, rows[rows.length - 1]) } : {};
  return c.json({ total, items: rows.map(jobItem), included: links, ...more });
});
