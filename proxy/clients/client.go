package clients

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/quota"
)

// A Client is one entry of the clients file. It is not to be changed.
type Client struct {
	Name              string        // unique; fit to be a label
	DailyNeurons      quota.Neurons // budget of a UTC day; 0: none of its own
	MonthlyNeurons    quota.Neurons // budget of a UTC calendar month; 0: none of its own
	RequestsPerMinute int           // 0: no limit of its own
	Priority          quota.Priority
	Finetunes         bool // may make and change finetunes

	models         modelname.List // nil: every model
	gatewayHeaders []string       // of AI Gateway that it may send besides the usual ones, canonical
}

// HasBudget reports whether the client has neurons of its own.
func (c *Client) HasBudget() bool { return c.DailyNeurons > 0 || c.MonthlyNeurons > 0 }

// AllowsAll reports whether the client has no list of models.
func (c *Client) AllowsAll() bool { return c.models == nil }

// Allows reports whether the client may call model. A name that upstream could take for another one, because it has
// empty or dotted segments or unusual characters, is allowed only to a client without a list.
func (c *Client) Allows(model string) bool {
	return c.models == nil || c.models.Allows(model)
}

// AllowsGatewayHeader reports whether the client's entry lists a header of AI Gateway. name is canonical.
func (c *Client) AllowsGatewayHeader(name string) bool {
	return slices.Contains(c.gatewayHeaders, name)
}

// maxName is the length of a DNS label in bytes, since most callers are named as hosts are.
const maxName = 63

// reserved names have another meaning in metrics and logs.
var reserved = []string{"account", "anonymous", "none", "other"}

// CheckName returns what is wrong with a client's name, nil if nothing is. A name is a metric label, a log field and a
// part of a key in the store.
func CheckName(name string) error {
	const want = "write 1 to 63 lower-case letters, digits, -, _ or ., the first and last a letter or digit"
	if name == "" {
		return errors.New("is empty; " + want)
	}
	if len(name) > maxName {
		return fmt.Errorf("%s is too long; %s", shown(name), want)
	}
	for i := range len(name) {
		inner := i > 0 && i < len(name)-1
		if !nameByte(name[i], inner) {
			return fmt.Errorf("%s is not a client's name; %s", shown(name), want)
		}
	}
	if slices.Contains(reserved, name) {
		return fmt.Errorf("%s has a meaning of its own in metrics; choose another name", shown(name))
	}
	if strings.HasPrefix(name, KeyPrefix) {
		return fmt.Errorf("%s begins as a key does; choose another name", shown(name))
	}
	return nil
}

func nameByte(c byte, inner bool) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || inner && (c == '-' || c == '_' || c == '.')
}
