// The runtime's loop, over connections that stay open. AWS's own does more for each request.
import http from "node:http";
import { handle } from "hono/aws-lambda";
import { app, warm } from "./app.js";

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body ? { "content-type": "application/json", "content-length": Buffer.byteLength(body) } : {};
    const request = http.request({ hostname, port, method, path: `/2018-06-01/runtime/${path}`, headers, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const failure = (error) => JSON.stringify({ errorType: error.name, errorMessage: error.message });

try {
  await warm();
} catch (error) {
  await call("POST", "init/error", failure(error));
  process.exit(1);
}

const handler = handle(app);
for (;;) {
  const { headers, body } = await call("GET", "invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handler(JSON.parse(body), { awsRequestId: id });
    await call("POST", `invocation/${id}/response`, JSON.stringify(answer));
  } catch (error) {
    await call("POST", `invocation/${id}/error`, failure(error));
  }
}
