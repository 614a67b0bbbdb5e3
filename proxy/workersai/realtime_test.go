package workersai_test

import (
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// listen sends sound to nova-3, message by message, and returns the last answer.
func listen(t *testing.T, url, query string, sound []byte, times int) (answer string) {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), url+"/client/v4/accounts/a/ai/run/@cf/deepgram/nova-3"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for i := range times + 1 {
		_, message, err := conn.Read(t.Context())
		if err != nil {
			t.Fatalf("query %q: %v", query, err)
		}
		answer = string(message)
		if i < times {
			if err := conn.Write(t.Context(), websocket.MessageBinary, sound); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	return answer
}

// Whatever a query says of the sound, it lasts for a time that can be told.
func TestSecondsOfASession(t *testing.T) {
	calls := make(chan quota.Neurons, 1)
	simulator := workersai.New(workersai.Options{OnCall: func(c workersai.Call) { calls <- c.Neurons }})
	server := httptest.NewServer(simulator)
	defer server.Close()
	for _, query := range []string{
		"?encoding=linear16&sample_rate=16000", "?encoding=linear16&sample_rate=8000&channels=2", "",
		"?encoding=linear16&sample_rate=16000&channels=-1", "?encoding=linear16&sample_rate=16000&channels=NaN",
		"?encoding=linear16&sample_rate=NaN", "?encoding=mulaw&sample_rate=1e-320", "?encoding=alaw&sample_rate=Inf",
	} {
		answer := listen(t, server.URL, query, make([]byte, 32_000), 1)
		if !strings.Contains(answer, " 1.00 seconds") && !strings.Contains(answer, " 2.00 seconds") {
			t.Errorf("query %q: got %s, want a second or two", query, answer)
		}
		if n := (<-calls).Float(); n < 13.9 || n > 30 {
			t.Errorf("query %q: got %v neurons billed, want those of a second or two", query, n)
		}
	}
}

func TestSoundOfASessionIsNotKept(t *testing.T) {
	server := httptest.NewServer(workersai.New(workersai.Options{}))
	defer server.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	listen(t, server.URL, "", make([]byte, 1<<20), 32)
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 1024 {
		t.Errorf("32 MiB of sound took %d MiB", got)
	}
}
