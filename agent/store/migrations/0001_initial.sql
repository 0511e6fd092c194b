-- Times are nanoseconds since 1970 UTC. Columns beside a document are what queries
-- select by; the document holds everything.
CREATE TABLE run (
	id        TEXT    PRIMARY KEY,
	started   INTEGER NOT NULL,
	finished  INTEGER,            -- NULL while it runs, or if it was killed
	host_id   TEXT    NOT NULL,
	host_name TEXT    NOT NULL,
	suite     TEXT    NOT NULL,
	version   TEXT    NOT NULL,   -- of realflops
	status    TEXT    NOT NULL,   -- running, complete, interrupted, failed
	host      TEXT    NOT NULL,   -- document
	warnings  TEXT    NOT NULL,   -- documents
	overheads TEXT    NOT NULL    -- documents
) STRICT;
CREATE INDEX run_started ON run (started);

CREATE TABLE result (
	id        INTEGER PRIMARY KEY,
	run_id    TEXT    NOT NULL REFERENCES run (id),
	time      INTEGER NOT NULL,
	device    TEXT    NOT NULL,
	kernel    TEXT    NOT NULL,
	precision TEXT    NOT NULL,
	engine    TEXT    NOT NULL,
	shape     TEXT    NOT NULL,
	threads   INTEGER NOT NULL,
	status    TEXT    NOT NULL,
	document  TEXT    NOT NULL
) STRICT;
CREATE INDEX result_run ON result (run_id);

CREATE TABLE profile (
	run_id   TEXT    PRIMARY KEY REFERENCES run (id),
	host_id  TEXT    NOT NULL,
	created  INTEGER NOT NULL,
	document TEXT    NOT NULL
) STRICT;

-- AUTOINCREMENT: an id is never used twice, so that a sender that still holds the ids
-- of delivered entries cannot name newer ones by them.
CREATE TABLE outbox (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id TEXT    NOT NULL REFERENCES run (id),
	line   TEXT    NOT NULL
) STRICT;
CREATE INDEX outbox_run ON outbox (run_id);

CREATE TABLE rejected (
	id      INTEGER PRIMARY KEY,  -- the id that it had in outbox
	run_id  TEXT    NOT NULL REFERENCES run (id),
	line    TEXT    NOT NULL,
	message TEXT    NOT NULL      -- the server's
) STRICT;
