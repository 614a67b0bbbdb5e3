package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Inspect connects and asks the server what it is. The error wraps ErrUnusable if
// it cannot be used as it is configured; another error means that it cannot be
// asked now. The warnings say what may make it lose data. There is none of what
// the server does not show to this user.
func (s *Store) Inspect(ctx context.Context) (warnings []string, err error) {
	limit := max(dialTimeout, s.o.Timeout) // the first connection is made here
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	client, err := s.reach(ctx, limit)
	if err != nil {
		return nil, s.explain(err, limit)
	}
	s.timed(client, func() error { return client.Ping(ctx).Err() })
	if trip := s.RoundTrip(); trip > farAway && s.o.OnDistance == nil {
		warnings = append(warnings, fmt.Sprintf("an answer takes %v, and calls wait for it now and then: "+
			"name a server nearby", trip.Round(time.Millisecond)))
	}
	text, err := client.Info(ctx).Result()
	if err != nil {
		return warnings, nil // it answers; what this user may not see gives no warning
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	mode := cmp.Or(info["redis_mode"], info["server_mode"]) // of Redis, of Valkey
	switch {
	case !s.address.cluster() && (mode == "cluster" || info["cluster_enabled"] == "1"):
		return nil, fmt.Errorf("redisstore: %w: %s", ErrUnusable, ofCluster)
	case mode == "sentinel":
		return nil, fmt.Errorf("redisstore: %w: it is a Sentinel: "+
			"write redis+sentinel://host:26379/PRIMARY, with the name that it has for the primary", ErrUnusable)
	}
	if info["role"] == "slave" {
		warnings = append(warnings, readOnly)
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		warnings = append(warnings, "its maxmemory-policy is "+policy+
			": when its memory is full it may forget what was spent; set maxmemory-policy noeviction")
	}
	return warnings, nil
}

// reach makes the first connection, within limit, to the server that has the rows.
func (s *Store) reach(ctx context.Context, limit time.Duration) (redis.UniversalClient, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client, err := s.client.Load().server(ctx, s.prefix)
	if err != nil {
		return nil, err
	}
	err = client.Ping(ctx).Err()
	if disconnected(err) { // the connection ended since it was last used
		err = client.Ping(ctx).Err()
	}
	return client, err
}
