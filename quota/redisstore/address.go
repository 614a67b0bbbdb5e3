package redisstore

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Schemes are the schemes of the addresses that Parse reads.
var Schemes = [...]string{"redis", "rediss", "unix"}

const defaultPort = "6379"

// An Address is where a server is, with the user and the password. As text it has
// no password.
type Address struct {
	scheme, network, at string
	username, password  string
	db                  int
	host                string // for TLS
}

// Parse reads redis://[[user]:password@]host[:port][/database], rediss://… for
// TLS, or unix://[[user]:password@]/path/to.socket[?db=database]. Its error
// never repeats the text, which may hold a password.
func Parse(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, errors.New("is no address of a server: a character in it has to be escaped, " +
			"as %40 for an @ in a password, or the port is no number")
	}
	a := Address{scheme: u.Scheme, username: u.User.Username()}
	a.password, _ = u.User.Password()
	query := u.Query()
	database := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case "redis", "rediss":
		port := u.Port()
		if port == "" {
			port = defaultPort
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return Address{}, errors.New("has a port that is not between 1 and 65535")
		}
		if u.Hostname() == "" {
			return Address{}, errors.New("has no host; write redis://host:6379/0")
		}
		a.network, a.host, a.at = "tcp", u.Hostname(), net.JoinHostPort(u.Hostname(), port)
	case "unix":
		if u.Host != "" || u.Path == "" || strings.HasSuffix(u.Path, "/") {
			return Address{}, errors.New("has no path of a socket; write unix:///run/redis/redis.sock?db=0")
		}
		a.network, a.at, database = "unix", u.Path, query.Get("db")
		query.Del("db")
	default:
		return Address{}, errors.New("is no address of a Redis server; write redis://host:6379/0, " +
			"rediss:// for TLS, or unix:///path")
	}
	if len(query) > 0 || u.Fragment != "" {
		return Address{}, errors.New("has settings behind a ? or #, and there are none; " +
			"an escaped password has %3F and %23 for them")
	}
	if database != "" {
		if a.db, err = strconv.Atoi(database); err != nil || a.db < 0 {
			return Address{}, errors.New("has a database that is no number; write one such as redis://host:6379/0")
		}
	}
	return a, nil
}

// String returns a in the form that Parse reads, without the password.
func (a Address) String() string {
	u := url.URL{Scheme: a.scheme, Host: a.at, Path: "/" + strconv.Itoa(a.db)}
	if a.network == "unix" {
		u.Host, u.Path, u.RawQuery = "", a.at, "db="+strconv.Itoa(a.db)
	}
	if a.username != "" {
		u.User = url.User(a.username)
	}
	return u.String()
}

// options are those of the client; base is copied for TLS, nil stands for the
// system's roots.
func (a Address) options(base *tls.Config) *redis.Options {
	o := &redis.Options{Network: a.network, Addr: a.at, Username: a.username, Password: a.password, DB: a.db}
	if a.scheme == "rediss" {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if base != nil {
			o.TLSConfig = base.Clone()
		}
		o.TLSConfig.ServerName = a.host
	}
	return o
}
