/**
 * The schema of a database: names, migrations, and what a store checks before it uses them.
 *
 * 1. A database with a newer schema is left as it is.
 * 2. A migration is a list of statements that never changes once it was released. All that are missing run in one transaction, under
 *    an advisory lock, so that several processes can start at once.
 * 3. A database that has the schema of this release is only read: the user that runs workflows needs no right to create tables.
 *
 * @module
 */

import { cannot, checkText } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import type { PostgresClient } from "./client.ts";
import { failure } from "./failure.ts";
import { constant, hash, identifier, literal } from "./literal.ts";

/** The oldest release that has the types of this schema: `xid8` and `pg_snapshot`. */
const OLDEST = 13;
const LONGEST_NAME = 63;

/** What the index has of a label `l`. The length keeps names and values apart. */
const ofLabel = /* @__PURE__ */ hash("char_length(l.key) || ':' || l.key || l.value");

/**
 * Each takes the quoted name of the schema.
 *
 * `place`: the order of creation; never used twice. `history`: the number of the list of events; a run that begins, and a state that
 * is saved, get a new one. Places and histories are numbers of one sequence. `key`: an index holds no long texts.
 */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => `
  CREATE SEQUENCE ${schema}.rockpool_numbers AS bigint;
  CREATE TABLE ${schema}.rockpool_workflows (
    place bigint PRIMARY KEY,
    history bigint NOT NULL,
    key bytea NOT NULL UNIQUE, -- SHA-256 of the ID
    workflow_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    first_run_id text COLLATE "C" NOT NULL, -- of the chain
    parent text, -- JSON
    workflow_name text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    length bigint NOT NULL, -- of the history
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    labels text, -- JSON
    input text, -- a payload, and the codec that wrote it; NULL stands for a JSON text
    input_codec text,
    outcome text, -- the result and the error
    outcome_codec text,
    mail bigint NOT NULL, -- grows whenever messages are added
    owner text COLLATE "C",
    due_at double precision NOT NULL, -- on the clock of executors
    fence bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 70); -- an update that finds room in its page changes no index
  CREATE INDEX rockpool_workflows_status ON ${schema}.rockpool_workflows (status, place);
  CREATE INDEX rockpool_workflows_id ON ${schema}.rockpool_workflows (left(workflow_id, 100)); -- an index holds no long texts
  CREATE INDEX rockpool_workflows_name ON ${schema}.rockpool_workflows (left(workflow_name, 100), place);
  CREATE INDEX rockpool_workflows_created ON ${schema}.rockpool_workflows USING brin (created_at) WITH (autosummarize = on);
  CREATE INDEX rockpool_workflows_due ON ${schema}.rockpool_workflows (due_at) WHERE status = 'running';
  CREATE TABLE ${schema}.rockpool_labels ( -- the index of the column "labels"; the triggers write it
    label bytea NOT NULL, -- SHA-256 of its name and its value
    workflow bigint NOT NULL, -- its place
    PRIMARY KEY (label, workflow) -- as an index of names: in the order of creation
  );
  CREATE FUNCTION ${schema}.rockpool_index_labels() RETURNS trigger LANGUAGE plpgsql AS ${
    constant(`BEGIN
    IF TG_OP <> 'INSERT' THEN
      DELETE FROM ${schema}.rockpool_labels WHERE workflow = old.place
        AND label IN (SELECT ${ofLabel} FROM json_each_text(old.labels::json) l);
    END IF;
    IF TG_OP <> 'DELETE' THEN
      INSERT INTO ${schema}.rockpool_labels SELECT ${ofLabel}, new.place FROM json_each_text(new.labels::json) l;
    END IF;
    RETURN NULL;
  END`)
  };
  CREATE TRIGGER rockpool_labels_given AFTER INSERT ON ${schema}.rockpool_workflows FOR EACH ROW
    WHEN (new.labels IS NOT NULL) EXECUTE FUNCTION ${schema}.rockpool_index_labels();
  CREATE TRIGGER rockpool_labels_changed AFTER UPDATE OF labels ON ${schema}.rockpool_workflows FOR EACH ROW
    WHEN ((new.labels, new.place) IS DISTINCT FROM (old.labels, old.place))
    EXECUTE FUNCTION ${schema}.rockpool_index_labels();
  CREATE TRIGGER rockpool_labels_removed AFTER DELETE ON ${schema}.rockpool_workflows FOR EACH ROW
    WHEN (old.labels IS NOT NULL) EXECUTE FUNCTION ${schema}.rockpool_index_labels();
  CREATE TABLE ${schema}.rockpool_events ( -- one row for each append
    history bigint NOT NULL,
    first bigint NOT NULL, -- the index of its first event
    events text NOT NULL,
    codec text,
    PRIMARY KEY (history, first)
  );
  CREATE TABLE ${schema}.rockpool_messages ( -- what was delivered to a run, so that it is added once
    history bigint NOT NULL,
    message bytea NOT NULL, -- SHA-256
    PRIMARY KEY (history, message)
  );
  CREATE TABLE ${schema}.rockpool_results ( -- of transactional activities, as long as their run
    history bigint NOT NULL,
    key bytea NOT NULL, -- SHA-256 of the idempotency key
    result text, -- a payload; NULL stands for undefined
    codec text,
    PRIMARY KEY (history, key)
  );
  CREATE TABLE ${schema}.rockpool_leases (
    owner text COLLATE "C" PRIMARY KEY,
    ends_at timestamptz NOT NULL -- on the clock of the database
  );
  CREATE TABLE ${schema}.rockpool_changes ( -- for others who listen; one row for each transaction; kept for some minutes
    transaction xid8 NOT NULL,
    writer text COLLATE "C" NOT NULL,
    changed text NOT NULL, -- JSON
    at timestamptz NOT NULL
  );
  CREATE INDEX rockpool_changes_transaction ON ${schema}.rockpool_changes (transaction);
  `,
];

/** The names of a store in its database. */
export interface Names {
  /** Returns the quoted name of a table or a sequence. */
  readonly of: (
    name: "workflows" | "labels" | "events" | "messages" | "results" | "leases" | "changes" | "meta" | "numbers",
  ) => string;
  /** The channel of notifications. Several schemas may share one: a notification says only that there is something to look for. */
  readonly channel: string;
}

/**
 * Checks the name of a schema.
 *
 * @throws {TypeError | RangeError} If Postgres does not take it.
 */
export function checkSchema(schema: string, action: string): void {
  checkText("schema", schema, action);
  const refused = (why: string) => new RangeError(`${cannot(action)}: "schema" must ${why}, got ${show(schema)}`);
  if (/[\0\p{Cs}]/u.test(schema)) throw refused("be a text that Postgres can store");
  if (new TextEncoder().encode(schema).length > LONGEST_NAME) throw refused(`have at most ${LONGEST_NAME} bytes`);
  if (/\$\d+::/.test(schema)) throw refused("not look like a parameter");
  if (schema.startsWith("pg_")) throw refused(`not begin with "pg_", which Postgres keeps for itself`);
}

export function namesOf(schema: string): Names {
  return {
    of: (name) => `${identifier(schema)}.rockpool_${name}`,
    channel: `rockpool_${schema.replace(/[^a-zA-Z0-9]/g, "_")}`.slice(0, LONGEST_NAME).toLowerCase(),
  };
}

interface Found {
  readonly release: number;
  readonly encoding: string;
  /** Whether the schema has tables of a store. */
  readonly has: boolean;
}

/**
 * Makes the tables, or brings those of an earlier release up to date.
 *
 * @throws {Error} If the database is too old, has another encoding or a newer schema, or refuses.
 */
export async function migrate(client: PostgresClient, schema: string): Promise<void> {
  const action = `open store in schema ${show(schema)}`;
  const { release, encoding, has } = await read<Found>(
    client,
    `SELECT json_build_object('release', current_setting('server_version_num')::int / 10000,
      'encoding', current_setting('server_encoding'), 'has', to_regclass($1::text) IS NOT NULL)::text AS row`,
    [namesOf(schema).of("meta")],
    action,
  );
  const refused = (why: string) => new Error(`${cannot(action)}: ${why}`);
  if (release < OLDEST) throw refused(`the database is Postgres ${release}, it must be ${OLDEST} or newer`);
  if (encoding !== "UTF8") throw refused(`the encoding of the database is ${encoding}, it must be UTF8`);
  const found = has ? await versionOf(client, schema, action) : 0;
  if (found > MIGRATIONS.length) throw newer(found, action);
  if (found === MIGRATIONS.length) return;
  try {
    await client.query(script(schema), []);
  } catch (error) {
    throw failure(action, error);
  }
  const now = await versionOf(client, schema, action); // another process may have a newer release, and was faster
  if (now > MIGRATIONS.length) throw newer(now, action);
}

function newer(found: number, action: string): Error {
  const known = `this release knows versions up to ${MIGRATIONS.length}: update @rockpool/workflow`;
  return new Error(`${cannot(action)}: its schema has version ${found}, ${known}`);
}

function versionOf(client: PostgresClient, schema: string, action: string): Promise<number> {
  return read<number>(client, `SELECT version::text AS row FROM ${namesOf(schema).of("meta")}`, [], action);
}

async function read<T>(client: PostgresClient, text: string, params: string[], action: string): Promise<T> {
  try {
    const [row] = await client.query(text, params);
    return JSON.parse(Object.values(row)[0]);
  } catch (error) {
    throw failure(action, error);
  }
}

/** One statement, so that it is one transaction through every pooler. */
function script(schema: string): string {
  const quoted = identifier(schema);
  const meta = namesOf(schema).of("meta");
  const steps = MIGRATIONS.map((statements, i) => `
  IF known < ${i + 1} THEN
    ${statements(quoted)}
    UPDATE ${meta} SET version = ${i + 1};
  END IF;`);
  const body = `
DECLARE
  known int;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('@rockpool/workflow'), hashtext(${literal(schema)}));
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = ${literal(schema)}) THEN
    CREATE SCHEMA ${quoted};
  END IF;
  CREATE TABLE IF NOT EXISTS ${meta} (version int NOT NULL);
  IF NOT EXISTS (SELECT FROM ${meta}) THEN
    INSERT INTO ${meta} VALUES (0);
  END IF;
  SELECT version INTO known FROM ${meta};${steps.join("")}
END`;
  let tag = "$rockpool$";
  while (body.includes(tag)) tag = tag.replace(/\$$/, "_$");
  return `DO ${tag}${body}${tag}`;
}
