-- The table of vxtray's events in ClickHouse, on one server. {database} is put in; each statement ends with ";" at the
-- end of a line.
CREATE DATABASE IF NOT EXISTS {database};
-- The order key serves what is asked most: a period, within it everything. A batch that is sent again after an answer
-- was lost carries the same token, which the window below remembers (10,000 batches).
CREATE TABLE IF NOT EXISTS {database}.events
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
    INDEX by_source src_ip TYPE bloom_filter GRANULARITY 4,
    INDEX by_seq seq TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, seq)
TTL at + INTERVAL {days} DAY
SETTINGS non_replicated_deduplication_window = 10000;
