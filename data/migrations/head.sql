BEGIN;

CREATE TABLE alert_bodies (
    id INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE alert_notes (
    tenant TEXT NOT NULL,
    "key" TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, "key")
);

CREATE TABLE alerts (
    id INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    cluster BIGINT NOT NULL,
    incident BIGINT NOT NULL,
    severity INTEGER NOT NULL,
    state TEXT NOT NULL,
    count BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    ended_at BIGINT,
    silenced_until BIGINT,
    shelved_until BIGINT,
    ack_until BIGINT,
    silenced INTEGER NOT NULL,
    inhibited INTEGER NOT NULL,
    suppressed INTEGER NOT NULL,
    flapping INTEGER NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    site TEXT NOT NULL,
    entity TEXT NOT NULL,
    service TEXT NOT NULL,
    client TEXT NOT NULL,
    "key" TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX alerts_ended ON alerts (ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX alerts_of_incident ON alerts (incident) WHERE ended_at IS NOT NULL;

CREATE INDEX alerts_open ON alerts (tenant, id, incident) WHERE ended_at IS NULL;

CREATE INDEX alerts_restricted ON alerts (tenant, incident) WHERE name = 'fraud_suspected';

CREATE TABLE audits (
    tenant TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, seq)
);

CREATE TABLE changes (
    partition INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    first_seq BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    at BIGINT NOT NULL,
    crc BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (partition, last_seq)
);

CREATE TABLE cluster_bodies (
    id INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE clusters (
    id INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    incident BIGINT NOT NULL,
    title TEXT NOT NULL,
    severity INTEGER NOT NULL,
    site TEXT NOT NULL,
    sites TEXT NOT NULL,
    entities BIGINT NOT NULL,
    alerts BIGINT NOT NULL,
    suppressed BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    closed INTEGER NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX clusters_of_incident ON clusters (incident);

CREATE TABLE effects (
    tenant TEXT NOT NULL,
    "key" TEXT NOT NULL,
    action TEXT NOT NULL,
    incident BIGINT,
    state TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT,
    leased_until BIGINT,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, "key")
);

CREATE INDEX effects_waiting ON effects (due_at) WHERE state IN ('pending', 'running');

CREATE TABLE incident_bodies (
    id INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE incidents (
    id INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    title TEXT NOT NULL,
    severity INTEGER NOT NULL,
    state TEXT NOT NULL,
    priority FLOAT NOT NULL,
    site TEXT NOT NULL,
    sites TEXT NOT NULL,
    client TEXT NOT NULL,
    owner TEXT NOT NULL,
    alerts BIGINT NOT NULL,
    firing BIGINT NOT NULL,
    muted BIGINT NOT NULL,
    suppressed BIGINT NOT NULL,
    events BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    ended_at BIGINT,
    due_at BIGINT,
    ack_until BIGINT,
    shelved_until BIGINT,
    merged_into BIGINT,
    version BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX incidents_ended ON incidents (ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX incidents_in_memory ON incidents (id) WHERE state != 'closed' AND merged_into IS NULL;

CREATE INDEX incidents_open ON incidents (tenant, priority) WHERE ended_at IS NULL;

CREATE TABLE leases (
    partition INTEGER NOT NULL,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (partition)
);

CREATE TABLE metric_due (
    resolution INTEGER NOT NULL,
    at BIGINT NOT NULL,
    series BIGINT NOT NULL,
    PRIMARY KEY (resolution, at, series)
)
 WITHOUT ROWID;

CREATE TABLE metric_rollups (
    resolution INTEGER NOT NULL,
    at BIGINT NOT NULL,
    series BIGINT NOT NULL,
    count BIGINT NOT NULL,
    sum FLOAT NOT NULL,
    min FLOAT NOT NULL,
    max FLOAT NOT NULL,
    sketch BLOB NOT NULL,
    PRIMARY KEY (resolution, at, series)
)
 WITHOUT ROWID;

CREATE TABLE metric_series (
    number INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    site TEXT NOT NULL,
    labels BLOB NOT NULL,
    last_at FLOAT NOT NULL,
    last FLOAT NOT NULL,
    PRIMARY KEY (number)
);

CREATE UNIQUE INDEX metric_series_by_id ON metric_series (tenant, id);

CREATE TABLE nouns (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    site TEXT NOT NULL,
    entity TEXT NOT NULL,
    state TEXT NOT NULL,
    severity INTEGER NOT NULL,
    value FLOAT NOT NULL,
    incident BIGINT,
    live INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, kind, id)
);

CREATE INDEX nouns_by_time ON nouns (tenant, kind, at);

CREATE INDEX nouns_live ON nouns (kind) WHERE live = 1;

CREATE INDEX nouns_of_entity ON nouns (tenant, kind, entity, at) WHERE entity != '';

CREATE INDEX nouns_of_site ON nouns (tenant, kind, site, at) WHERE site != '';

CREATE TABLE patterns (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE rejects (
    id INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    format TEXT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE seen (
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, source, id)
)
 WITHOUT ROWID;

CREATE INDEX seen_by_time ON seen (at);

CREATE TABLE silences (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE timeline (
    id INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    incident BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX timeline_of_incident ON timeline (incident);

CREATE TABLE tokens (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE undos (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO alembic_version VALUES ('0001');

COMMIT;
