package normalize_test

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/neuronward/neuronward/normalize"
)

// An app reads the body of a failed call and branches on the code, not on strings.
func ExampleParse() {
	// as received from the proxy
	body := (&normalize.Failure{Code: normalize.OutOfCapacity, RequestID: "req-1"}).Append(nil)

	failure, ok := normalize.Parse(body)
	if !ok {
		fmt.Println("not from the proxy")
		return
	}
	switch failure.Code {
	case normalize.AccountLimited:
		fmt.Println("no neurons left until", failure.ResetsAt)
	case normalize.OutOfCapacity:
		fmt.Println("again in", failure.Wait())
	default:
		fmt.Println(failure)
	}
	// Output: again in 2s
}

// Classify finds out what upstream means, whatever its status says.
func ExampleClassify() {
	body := `{"errors":[{"message":"AiError: AiError: Request timeout ` +
		`(0c7f8a3e-5b7d-4e2a-9f61-2d0c7b4e9a15)","code":3046}],"success":false}`
	failure := normalize.Classify(http.StatusBadRequest, http.Header{}, []byte(body))
	fmt.Println(failure)
	fmt.Println(failure.HTTPStatus(), failure.Code, failure.MatchedBy, failure.Upstream.RequestID)
	// Output:
	// timeout (3007): Request timeout.
	// 408 timeout alias 0c7f8a3e-5b7d-4e2a-9f61-2d0c7b4e9a15
}

// A Failure is an error.
func ExampleFailure() {
	call := func() error { return &normalize.Failure{Code: normalize.AccountBlocked} }

	if failure, ok := errors.AsType[*normalize.Failure](call()); ok {
		fmt.Println(failure.Code.Entry().Fault, failure.Retryable())
	}
	// Output: account false
}
