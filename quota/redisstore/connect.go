package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A connection is a client of go-redis: of one server, of what Sentinels call the primary, or of a cluster.
type connection struct {
	redis.UniversalClient
	toSentinels string // the password that Sentinels get, as long as the client lives; "": none
}

// server returns the client of the server that has the rows of key.
func (c *connection) server(ctx context.Context, key string) (redis.UniversalClient, error) {
	if cluster, ok := c.UniversalClient.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return c.UniversalClient, nil
}

// reload has the client of a cluster ask which server has what now, soon and once for many calls.
func (c *connection) reload(ctx context.Context) {
	if cluster, ok := c.UniversalClient.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}

// connect returns a client, which connects when it is first used. It retries nothing by itself, but what a node of a
// cluster sends to another node. Its log on standard error is disabled: the errors say the same.
func (s *Store) connect() *connection {
	logging.Disable()
	longest := cmp.Or(s.o.Timeout, 2*maxDeadline) // each step has a deadline of its own
	o := &redis.UniversalOptions{
		Addrs: s.address.hosts, DB: s.address.db, MasterName: s.address.primary, IsClusterMode: s.address.cluster(),
		CredentialsProvider: s.credentials, TLSConfig: s.tls(), Protocol: 2, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: max(dialTimeout, s.o.Timeout), ReadTimeout: longest, WriteTimeout: longest,
		PoolTimeout: longest, ContextTimeoutEnabled: true, DisableIdentity: true, Dialer: s.o.dial,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if s.address.sentinelAuth {
		o.SentinelUsername, o.SentinelPassword = s.credentials()
	}
	if s.address.cluster() {
		cluster := o.Cluster()
		cluster.DisableRoutingPolicies = true // they would need one more command
		return &connection{UniversalClient: redis.NewClusterClient(cluster)}
	}
	return &connection{redis.NewUniversalClient(o), o.SentinelPassword}
}

// credentials are asked for by each new connection, but to Sentinels, so that a password can be replaced.
func (s *Store) credentials() (username, password string) {
	if s.o.Password != nil {
		if password := s.o.Password(); password != "" {
			return s.address.username, password
		}
	}
	return s.address.username, s.address.password
}

// tls is nil without TLS.
func (s *Store) tls() *tls.Config {
	if s.address.tls == nil || s.o.TLS == nil {
		return s.address.tls
	}
	return s.o.TLS
}
