package config

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/quota/price"
)

// readFiles reads the files that the variables name.
func (l *loader) readFiles(red *Redactor) {
	l.readSecrets(red)
	if l.ClientsFile != "" && l.good("NEURONWARD_CLIENTS_FILE") {
		if f := newClientsFile(l.ClientsFile); f.start(l) {
			l.Clients = f
		}
	}
	if l.TLSCert != "" && l.TLSKey != "" && l.good(certVariable, keyVariable) {
		if c := newCertificate(l.TLSCert, l.TLSKey); c.start(l) {
			l.Certificate = c
		}
	}
	l.readPrices()
}

// readSecrets settles where each secret comes from and reads it.
func (l *loader) readSecrets(red *Redactor) {
	for _, v := range l.vars {
		twin := v.Name + FileSuffix
		path, fromFile := l.given[twin]
		switch {
		case !v.Twin || !fromFile:
		case l.given[v.Name] != "":
			l.mistakes.add(v.Name, "is set together with %s; keep one of them", twin)
		default:
			if f := newSecretFile(twin, path, red); f.start(l) {
				l.secret(v).file = f
			}
		}
	}
}

// secret returns the value of a variable that is a secret.
func (c *Config) secret(v Variable) *Secret { return c.value(v).Addr().Interface().(*Secret) }

// value returns the field of a variable.
func (c *Config) value(v Variable) reflect.Value { return reflect.ValueOf(c).Elem().Field(v.field) }

// readPrices reads the price table to begin with.
func (l *loader) readPrices() {
	const variable = "NEURONWARD_PRICES"
	l.PriceTable = price.Embedded()
	if l.Prices == PricesLive || l.Prices == PricesEmbedded {
		return
	}
	file := smallFile{path: l.Prices, content: "a price table", maxSize: maxSecret}
	data, _, err := file.read(false)
	if err != nil {
		l.mistakes.add(variable, "%v; write live, embedded, or the path of a price table", err)
		return
	}
	table, err := price.Parse(data)
	if err != nil {
		l.mistakes.add(variable, "%s: %s", l.Prices, strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	l.PriceTable = table
}

// addAll adds err as a mistake in variable, or each of those that it is made of.
func (m *Mistakes) addAll(variable string, err error) {
	all, ok := errors.AsType[clients.Mistakes](err)
	if !ok {
		m.add(variable, "%v", err)
	}
	for _, one := range all {
		m.add(variable, "%v", one)
	}
}

// Watch follows the files of c until ctx ends, each in a goroutine of its own, and logs what changes, never a secret. A
// signal from reload has the clients file read at once.
func (c *Config) Watch(ctx context.Context, log *slog.Logger, reload <-chan os.Signal) {
	for _, v := range Variables() {
		if v.Twin && c.secret(v).file != nil {
			go c.secret(v).file.run(ctx, log, nil)
		}
	}
	if c.Certificate != nil {
		go c.Certificate.run(ctx, log, nil)
	}
	if c.Clients != nil {
		go c.Clients.run(ctx, log, reload)
	}
}
