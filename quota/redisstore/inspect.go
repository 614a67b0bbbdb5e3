package redisstore

import (
	"context"
	"fmt"
	"strings"
)

// Inspect asks the server what it is. The error wraps ErrUnfit if it can never
// keep neurons as it is; another error means that it cannot be asked now. The
// warnings are of what it may lose. What the server does not tell is not warned
// of.
func (s *Store) Inspect(ctx context.Context) (warnings []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(dialTimeout, s.o.Timeout)) // the first connection is made here
	defer cancel()
	client := s.client.Load()
	err = client.Ping(ctx).Err()
	if broke(err) { // a connection that ended while nobody asked
		err = client.Ping(ctx).Err()
	}
	if err != nil {
		return nil, explain(err, dialTimeout)
	}
	text, err := client.Info(ctx).Result()
	if err != nil {
		return nil, nil // it is there; what this user may not see is not judged
	}
	told := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			told[name] = value
		}
	}
	switch {
	case told["redis_mode"] == "cluster" || told["cluster_enabled"] == "1":
		return nil, fmt.Errorf("redisstore: %w: %s", ErrUnfit, cluster)
	case told["redis_mode"] == "sentinel":
		return nil, fmt.Errorf("redisstore: %w: it is a Sentinel, which is not supported: name the server that keeps the data", ErrUnfit)
	}
	if told["role"] == "slave" {
		warnings = append(warnings, replica)
	}
	if policy := told["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		warnings = append(warnings, "its maxmemory-policy is "+policy+
			": when its memory is full it may forget what was spent; set maxmemory-policy noeviction")
	}
	return warnings, nil
}
