package headers

import (
	"net/http"
	"strconv"

	"github.com/neuronward/neuronward/proxy/clients"
)

const gatewayAttempts = "Cf-Aig-Max-Attempts"

// maxAttempts is how often AI Gateway makes a call at most, whatever it is asked for.
const maxAttempts = 5

// Attempts returns how often AI Gateway may make a call, each of which is billed: by the caller's cf-aig-max-attempts,
// where that goes upstream. What is no number of attempts counts as the most: nobody knows how a gateway reads it.
func Attempts(caller http.Header, client *clients.Client) int {
	values := caller[gatewayAttempts]
	if len(values) == 0 || client != nil && !mayGateway(client, gatewayAttempts) {
		return 1
	}
	if n, err := strconv.Atoi(values[0]); err == nil && n >= 1 && len(values) == 1 {
		return min(n, maxAttempts)
	}
	return maxAttempts
}
