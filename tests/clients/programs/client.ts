// A program that uses openapi-fetch with the types that openapi-typescript generates; it prints what it met, as JSON.
//
// Run as `node client.js ADDRESS KEY`. client.py and client.go beside it do the same, and print the same.

import createClient from "openapi-fetch";

import type { components, paths } from "./dateline.js";

type Schemas = components["schemas"];

const TIMELINE = "generated-typescript";

async function main(address: string, key: string): Promise<void> {
  // without these it would have to reckon with lines of NDJSON wherever a list is to be had as such
  type Media = "application/json" | "application/problem+json";
  const client = createClient<paths, Media>({ baseUrl: address, headers: { Authorization: `Bearer ${key}` } });
  const story = await client.POST("/v1/timelines", { body: { slug: TIMELINE, title: "A story" } });
  const path = { timeline: expect(story).slug };

  const body: Schemas["EventBody"] = { title: "They meet", when: "2013-02", status: "planned" };
  const created = await client.POST("/v1/timelines/{timeline}/events", { params: { path }, body });
  const event = expect(created);
  const tag = created.response.headers.get("ETag") ?? "";

  const found = async (certainty: Schemas["Certainty"]): Promise<number> => {
    const query = { datetime: "2013-02-25", certainty };
    return expect(await client.GET("/v1/timelines/{timeline}/events", { params: { path, query } })).items.length;
  };
  const amend = async () => {
    const params = { path: { ...path, event: event.id }, header: { "If-Match": tag } };
    const patch: Schemas["EventPatch"] = { when: "2013-02-25", summary: null, reason: "The day was named." };
    return client.PATCH("/v1/timelines/{timeline}/events/{event}", { params, body: patch });
  };

  const before = [await found("possible"), await found("certain")];
  const amended = expect(await amend());
  const after = [await found("possible"), await found("certain")];

  const params = { path: { ...path, event: event.id } };
  const history = expect(await client.GET("/v1/timelines/{timeline}/events/{event}/history", { params }));
  const stale = problem(await amend());
  const createOnly = { ...params, header: { "If-None-Match": "*" as const } };
  const put = await client.PUT("/v1/timelines/{timeline}/events/{event}", { params: createOnly, body });
  const taken = problem(put);
  const odd: Schemas["EventBody"] = { ...body, when: "2013-02-30" };
  const refused = problem(await client.POST("/v1/timelines/{timeline}/events", { params: { path }, body: odd }));
  const batch: Schemas["BatchBody"] = { operations: [{ operation: "create", body }] };
  const done = expect(await client.POST("/v1/timelines/{timeline}/events:batch", { params: { path }, body: batch }));

  const met = {
    status: amended.status,
    dates: [amended.previously[0]?.when, amended.when],
    found: [before, after],
    history: history.items.map((one) => [one.version, one.reason]),
    stale: [stale.status, stale.type, stale.current?.["version"]],
    taken: [taken.status, taken.type, taken.current?.["version"]],
    refused: [refused.status, refused.type, (refused.errors ?? []).map((one) => one.pointer)],
    batch: done.items.map((one) => one.status),
  };
  process.stdout.write(JSON.stringify(met));
}

interface Answer<T> {
  data?: T;
  error?: Schemas["Problem"];
}

function expect<T>(answer: Answer<T>): T {
  if (answer.data === undefined) {
    throw new Error(`expected an answer, got ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

function problem(answer: Answer<unknown>): Schemas["Problem"] {
  if (answer.error === undefined) {
    throw new Error(`expected a problem, got ${JSON.stringify(answer.data)}`);
  }
  return answer.error;
}

const [address, key] = process.argv.slice(2);
if (address === undefined || key === undefined) {
  throw new Error("an address and a key are needed");
}
await main(address, key);
