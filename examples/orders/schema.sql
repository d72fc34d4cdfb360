CREATE TABLE customers (id text PRIMARY KEY);
INSERT INTO customers SELECT 'c-' || n FROM generate_series(1, 20) AS n;
CREATE TABLE orders (
	id text PRIMARY KEY,
	customer text NOT NULL REFERENCES customers,
	country text NOT NULL,
	total_cents bigint NOT NULL CHECK (total_cents > 0),
	received timestamptz NOT NULL DEFAULT now()
);
