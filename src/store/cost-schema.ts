/**
 * Sums of costs: by hour (`span_ms` 3,600,000) and, where hours are not kept any more, by day of UTC. Kinds are those of the
 * ledger and `idle`. Energy and carbon are NULL where there is no counter.
 */
export const COST_TABLES = `
   CREATE TABLE cost_run (
     id TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, sequence INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE cost_line (
     span_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL, currency TEXT NOT NULL, device TEXT NOT NULL, model TEXT NOT NULL,
     version INTEGER NOT NULL, tenant TEXT NOT NULL, route TEXT NOT NULL, kind TEXT NOT NULL,
     device_seconds REAL NOT NULL, amount REAL NOT NULL, requests REAL NOT NULL, rows REAL NOT NULL,
     alone_seconds REAL NOT NULL, energy_joules REAL, carbon_grams REAL,
     PRIMARY KEY (span_ms, start_ms, currency, device, model, version, tenant, route, kind)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE cost_device (
     span_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL, currency TEXT NOT NULL, device TEXT NOT NULL,
     elapsed_seconds REAL NOT NULL, busy_seconds REAL NOT NULL, amount REAL NOT NULL, direct REAL NOT NULL,
     waste REAL NOT NULL, idle REAL NOT NULL, energy_joules REAL, carbon_grams REAL,
     PRIMARY KEY (span_ms, start_ms, currency, device)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE budget_notice (
     budget TEXT NOT NULL, period_ms INTEGER NOT NULL, threshold REAL NOT NULL,
     PRIMARY KEY (budget, period_ms, threshold)
   ) STRICT, WITHOUT ROWID;`;
