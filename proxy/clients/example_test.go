package clients_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/neuronward/neuronward/proxy/clients"
)

func Example() {
	key := clients.NewKey() // neuronward client new prints such an entry
	set, err := clients.Parse("clients.yaml", []byte(`clients:
  - name: search-team
    key_sha256: `+key.SHA256+`
    daily_neurons: 2000
    priority: low
    models: ["@cf/baai/*"]
`))
	if err != nil {
		fmt.Println(err) // every mistake, a line each
		return
	}
	call := http.Header{"Authorization": {"Bearer " + key.Secret}}
	client, refusal := set.Identify(call, true, time.Now())
	fmt.Println(client.Name, client.DailyNeurons, refusal)
	fmt.Println(client.Allows("@cf/baai/bge-m3"), client.Allows("@cf/meta/llama-3.1-8b-instruct"))

	_, refusal = set.Identify(http.Header{}, true, time.Now())
	fmt.Println(refusal)

	// Output:
	// search-team 2000.00 accepted
	// true false
	// no_key
}
