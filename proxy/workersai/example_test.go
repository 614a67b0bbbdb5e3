package workersai_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// An app that calls Workers AI is pointed at the simulator instead.
func Example() {
	sim := workersai.New(workersai.Options{})
	server := httptest.NewServer(sim)
	defer server.Close()
	base := server.URL + "/client/v4/accounts/acct/ai" // an OpenAI client takes base + "/v1"

	res, err := http.Post(base+"/run/@cf/meta/llama-3.1-8b-instruct-fp8", "application/json",
		strings.NewReader(`{"prompt": "What is a neuron?", "max_tokens": 5}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Println(res.Status, res.Header.Get("cf-ai-neurons"))
	fmt.Println(string(body))
	fmt.Println(sim.Calls(), "call,", sim.Billed(), "neurons")
	// Output:
	// 200 OK 0.19
	// {"result":{"response":"This is simulated Workers AI,","tool_calls":[],"usage":{"prompt_tokens":4,"completion_tokens":5,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":0},"neurons":0.185752}},"success":true,"errors":[],"messages":[]}
	// 1 call, 0.19 neurons
}

// A test of what an app does when Workers AI has no capacity, twice.
func Example_failure() {
	server := httptest.NewServer(workersai.New(workersai.Options{}))
	defer server.Close()

	for range 3 {
		req, _ := http.NewRequest(http.MethodPost, server.URL+"/client/v4/accounts/acct/ai/v1/chat/completions",
			strings.NewReader(`{"model": "@cf/meta/llama-3.1-8b-instruct-fp8", `+
				`"messages": [{"role": "user", "content": "Hello"}]}`))
		req.Header.Set(workersai.SimulateHeader, "out_of_capacity; times=2")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
		fmt.Println(res.Status)
	}
	// Output:
	// 429 Too Many Requests
	// 429 Too Many Requests
	// 200 OK
}

// A test of an agent: the model calls its tool, sees what the tool returned, and
// says what the test wants to hear.
func Example_agent() {
	server := httptest.NewServer(workersai.New(workersai.Options{Answer: func(c workersai.Call) workersai.Answer {
		if strings.Contains(c.Body, `"role":"tool"`) {
			return workersai.Answer{Text: "Take an umbrella."}
		}
		return workersai.Answer{Simulate: "tool=weather"} // with arguments that satisfy its schema
	}}))
	defer server.Close()

	const question = `{"role":"user","content":"Will it rain?"}`
	for _, messages := range []string{
		question,
		question + `,{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"weather"}}]},` +
			`{"role":"tool","tool_call_id":"1","content":"rain"}`,
	} {
		res, err := http.Post(server.URL+"/client/v4/accounts/acct/ai/v1/chat/completions", "application/json",
			strings.NewReader(`{"model":"@cf/meta/llama-3.1-8b-instruct-fp8","messages":[`+messages+`],"tools":[`+
				`{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":`+
				`{"unit":{"enum":["celsius"]}},"required":["unit"]}}}]}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		var answer struct {
			Choices []struct{ Message json.RawMessage }
		}
		err = json.NewDecoder(res.Body).Decode(&answer)
		_ = res.Body.Close()
		fmt.Println(string(answer.Choices[0].Message), err)
	}
	// Output:
	// {"role":"assistant","content":null,"tool_calls":[{"id":"chatcmpl-tool-f573ad93ac318126","type":"function","function":{"name":"weather","arguments":"{\"unit\":\"celsius\"}"}}]} <nil>
	// {"role":"assistant","content":"Take an umbrella."} <nil>
}
