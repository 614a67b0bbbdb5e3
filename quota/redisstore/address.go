package redisstore

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Schemes are the schemes of the addresses that Parse reads.
var Schemes = [...]string{
	"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
}

const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
)

var errEscape = errors.New("is no address of a server: a character in it has to be escaped, " +
	"as %40 for an @ in a password, or the port is no number")

// An Address is where a server is, or the servers of one that fails over, with the user and the password. As text it
// has no password.
type Address struct {
	scheme             string
	hosts              []string // with ports; of a socket: its path
	primary            string   // as Sentinels call it
	username, password string
	db                 int
	sentinelAuth       bool // Sentinels ask for the user and password, too
	files              tlsFiles
	tls                *tls.Config // nil without TLS
}

func (a Address) sentinel() bool { return strings.HasSuffix(a.scheme, "+sentinel") }
func (a Address) cluster() bool  { return strings.HasSuffix(a.scheme, "+cluster") }
func (a Address) overTLS() bool  { return strings.HasPrefix(a.scheme, "rediss") }

// HasPassword reports whether the address itself has a password.
func (a Address) HasPassword() bool { return a.password != "" }

// HostsInClear returns the hosts, without ports, that are talked to without TLS.
func (a Address) HostsInClear() []string {
	var all []string
	for _, at := range a.hosts {
		if host, _, err := net.SplitHostPort(at); err == nil && !a.overTLS() {
			all = append(all, host)
		}
	}
	return all
}

// Parse reads one of
//
//	redis://[[user]:password@]host[:port][/database]
//	redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/primary[/database][?sentinel_auth=yes]
//	redis+cluster://[[user]:password@]host[:port][,host[:port]…]
//	unix://[[user]:password@]/path/to.socket[?db=database]
//
// and the same with rediss for TLS, which may have ?ca=FILE, ?cert=FILE&key=FILE and ?server_name=NAME. It reads those
// files. Its error never repeats the text, which may hold a password.
func Parse(text string) (Address, error) {
	first, hosts := splitHosts(text)
	u, err := url.Parse(first)
	if err != nil {
		return Address{}, errEscape
	}
	a := Address{scheme: u.Scheme, username: u.User.Username()}
	a.password, _ = u.User.Password()
	if !slices.Contains(Schemes[:], u.Scheme) {
		return Address{}, errors.New("is no address of a Redis server; write redis://host:6379/0, " +
			"rediss:// for TLS, redis+sentinel://, redis+cluster://, or unix:///path")
	}
	query, database := u.Query(), strings.TrimPrefix(u.Path, "/")
	take := func(name string) (value string) {
		value = query.Get(name)
		query.Del(name)
		return value
	}
	switch {
	case u.Scheme == "unix":
		if u.Host != "" || u.Path == "" || strings.HasSuffix(u.Path, "/") {
			return Address{}, errors.New("has no path of a socket; write unix:///run/redis/redis.sock?db=0")
		}
		a.hosts, database = []string{u.Path}, take("db")
	case a.sentinel():
		if a.primary, database, _ = strings.Cut(database, "/"); a.primary == "" {
			return Address{}, errors.New("does not name the primary as the Sentinels call it; " +
				"write redis+sentinel://host:26379,host2:26379/mymaster/0")
		}
		if strings.ContainsAny(a.primary, "@,") { // it may be the end of a password
			return Address{}, errEscape
		}
		switch take("sentinel_auth") {
		case "yes":
			a.sentinelAuth = true
		case "", "no":
		default:
			return Address{}, errors.New("has a sentinel_auth that is neither; write yes or no")
		}
	case a.cluster() && database != "" && database != "0":
		return Address{}, errors.New("has a database, and a cluster has 0 alone; write redis+cluster://host:6379")
	}
	if u.Scheme != "unix" {
		if a.hosts, err = a.parseHosts(append([]string{u.Host}, hosts...)); err != nil {
			return Address{}, err
		}
	}
	if a.overTLS() {
		a.files = tlsFiles{take("ca"), take("cert"), take("key"), take("server_name")}
		if a.tls, err = a.files.config(); err != nil {
			return Address{}, err
		}
	}
	if len(query) > 0 || u.Fragment != "" {
		return Address{}, errors.New("has settings behind a ? or # that it cannot have; " +
			"an escaped password has %3F and %23 for them")
	}
	if database != "" {
		if a.db, err = strconv.Atoi(database); err != nil || a.db < 0 {
			return Address{}, errors.New("has a database that is no number; write one such as redis://host:6379/0")
		}
	}
	return a, nil
}

// splitHosts takes all hosts but the first out of text: a URL has one.
func splitHosts(text string) (first string, others []string) {
	begin := strings.Index(text, "://") + len("://")
	end := len(text)
	if i := strings.IndexAny(text[min(begin, len(text)):], "/?#"); i >= 0 {
		end = begin + i
	}
	if begin < len("://") || begin > end {
		return text, nil
	}
	if i := strings.LastIndexByte(text[begin:end], '@'); i >= 0 {
		begin += i + 1
	}
	hosts := strings.Split(text[begin:end], ",")
	return text[:begin] + hosts[0] + text[end:], hosts[1:]
}

// parseHosts gives each host its port.
func (a Address) parseHosts(hosts []string) ([]string, error) {
	if len(hosts) > 1 && !a.sentinel() && !a.cluster() {
		return nil, errors.New("has several hosts; write redis+sentinel:// or redis+cluster:// for them")
	}
	all := make([]string, len(hosts))
	for i, host := range hosts {
		u, err := url.Parse("//" + host)
		if err != nil || u.Host != host || u.Hostname() == "" {
			return nil, errors.New("has no host; write redis://host:6379/0")
		}
		port := u.Port()
		switch {
		case port == "" && a.sentinel():
			port = defaultSentinelPort
		case port == "":
			port = defaultPort
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that is not between 1 and 65535")
		}
		all[i] = net.JoinHostPort(u.Hostname(), port)
	}
	return all, nil
}

// String returns a in the form that Parse reads, without the password.
func (a Address) String() string {
	u := url.URL{Scheme: a.scheme, Host: strings.Join(a.hosts, ","), Path: "/" + strconv.Itoa(a.db)}
	switch {
	case a.scheme == "unix":
		u.Host, u.Path, u.RawQuery = "", a.hosts[0], "db="+strconv.Itoa(a.db)
	case a.sentinel():
		u.Path = "/" + a.primary + u.Path
		if a.sentinelAuth {
			u.RawQuery = "sentinel_auth=yes"
		}
	case a.cluster():
		u.Path = ""
	}
	if query := a.files.query(); query != "" {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+query, "&")
	}
	if a.username != "" {
		u.User = url.User(a.username)
	}
	return u.String()
}
