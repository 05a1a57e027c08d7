-- The tables of vxtray in ClickHouse, on one server or on a cluster; "vxtray store sql" prints them filled in. Names in
-- braces are put in by vxtray/core/store/tables.py; each statement ends with ";" at the end of a line.
CREATE DATABASE IF NOT EXISTS {database}{on_cluster};
-- The order key serves what is asked most: a period, within it everything. A batch that is sent again after an answer
-- was lost carries the same token, which the window below remembers (10,000 batches).
CREATE TABLE IF NOT EXISTS {database}.{events}{on_cluster}
(
    -- the store of one program, which numbers its events by seq
    writer LowCardinality(String),
    seq Int64,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    source LowCardinality(String),
    category LowCardinality(String),
    action LowCardinality(String),
    severity Enum8('critical' = 0, 'high' = 1, 'medium' = 2, 'low' = 3, 'info' = 4),
    src_ip String CODEC(ZSTD),
    src_port Int32,
    country LowCardinality(String),
    dst_ip String CODEC(ZSTD),
    dst_port Int32,
    target_host LowCardinality(String),
    target_url String CODEC(ZSTD),
    user String CODEC(ZSTD),
    rule_id LowCardinality(String),
    rule_name LowCardinality(String),
    message String CODEC(ZSTD),
    score Nullable(Int32),
    -- whether it may raise an alert: old lines that are read afterwards may not
    alerts Bool DEFAULT true,
    INDEX by_source src_ip TYPE bloom_filter GRANULARITY 4,
    INDEX by_seq seq TYPE minmax GRANULARITY 1
)
ENGINE = {engine}
PARTITION BY toYYYYMM(at)
ORDER BY (at, seq)
TTL at + INTERVAL {days} DAY
SETTINGS {window};
-- Which programs keep their events here, by the uuid of their store: of them exactly one is to send mail.
CREATE TABLE IF NOT EXISTS {database}.{programs}{on_cluster}
(
    program String,
    host String,
    sends Bool,
    -- up to which seq its events have arrived
    arrived Int64,
    seen DateTime64(3, 'UTC')
)
ENGINE = {newest}(seen)
ORDER BY program
TTL toDateTime(seen) + INTERVAL 30 DAY;
-- On a cluster, what is asked and written goes to all shards. The keys bring a batch that is sent again to the same
-- shards as before, and all that is said of a program to one.
CREATE TABLE IF NOT EXISTS {database}.events ON CLUSTER {cluster} AS {database}.{events}
ENGINE = Distributed({cluster}, {database}, {events}, cityHash64(writer, seq));
CREATE TABLE IF NOT EXISTS {database}.programs ON CLUSTER {cluster} AS {database}.{programs}
ENGINE = Distributed({cluster}, {database}, {programs}, cityHash64(program));
