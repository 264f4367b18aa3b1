"""`GET /workloads/jobs/{job}` and `GET /workloads/jobs`, the first page of it."""

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse
from mangum import Mangum

from caller import Authenticated
from jobs import included, job_item, marker
from problem import Problem
from table import first, get

router = APIRouter(prefix="/api/v1/workloads")


# A sandbox has one request at a time: nothing else waits while boto3 does, and a pool of threads would only cost.
@router.get("/jobs/{job}")
async def show(caller: Authenticated, job: Annotated[str, Path(pattern="^[A-Z0-9]{1,20}$")]):
    row = get((f"O#{caller.organization}#JOBS", job))
    if row is None:
        raise Problem(404)
    caller.require_to_view_in_any(row["data"]["teamIds"])
    _, links = included(caller.organization, [row])
    return answer({"item": job_item(row), "included": links}, {"etag": f'"{row["version"]}"'})


@router.get("/jobs")
async def jobs(caller: Authenticated, limit: Annotated[int, Query(ge=1, le=100)] = 100):
    caller.require_to_view()
    partition = f"O#{caller.organization}#JOBS"
    # One more than asked for tells whether there is a next page.
    found = first(partition, limit + 1)
    rows = found[:limit]
    total, links = included(caller.organization, rows)
    page = {"total": total, "items": [job_item(row) for row in rows], "included": links}
    if len(found) > limit:
        page["marker"] = marker(partition, rows[-1])
    return answer(page)


def answer(body, headers=None):
    """Past FastAPI's own encoder: the body is what JSON knows already."""
    return JSONResponse(body, headers={"x-request-id": str(uuid4()), **(headers or {})})


async def refuse(_: Request, problem: Problem):
    request_id = str(uuid4())
    headers = {"x-request-id": request_id, "content-type": "application/problem+json"}
    return JSONResponse(problem.body(request_id), problem.status, headers)


app = FastAPI(openapi_url=None, exception_handlers={Problem: refuse})
app.include_router(router)
handler = Mangum(app, lifespan="off", text_mime_types=["application/json", "application/problem+json"])
