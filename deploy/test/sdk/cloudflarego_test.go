package sdk

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/ai"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/shared"
)

func cloudflareGoRun(ctx context.Context, e errand, s *sight) error {
	options := []option.RequestOption{option.WithBaseURL(e.URL + "/client/v4/"), option.WithAPIToken(e.Key)}
	for name, value := range e.Header {
		options = append(options, option.WithHeader(name, value))
	}
	client := cloudflare.NewClient(options...)
	body := ai.AIRunParamsBodyTextGeneration{
		Messages: cloudflare.F([]ai.AIRunParamsBodyTextGenerationMessage{{
			Role:    cloudflare.F("user"),
			Content: cloudflare.F[ai.AIRunParamsBodyTextGenerationMessagesContentUnion](shared.UnionString(question)),
		}}),
	}
	if !e.Stream {
		answer, err := client.AI.Run(ctx, model, ai.AIRunParams{AccountID: cloudflare.F(account), Body: body})
		if err != nil {
			return err
		}
		object, ok := (*answer).(ai.AIRunResponseObject)
		if !ok {
			return fmt.Errorf("the answer is a %T", *answer)
		}
		s.Text = object.Response
		return nil
	}
	// It has no method for streams; this is its documented way to a raw response.
	body.Stream = cloudflare.F(true)
	var answer *http.Response
	if err := client.Post(ctx, "accounts/"+account+"/ai/run/"+model, body, &answer); err != nil {
		return err
	}
	defer answer.Body.Close()
	return readNative(answer.Body, s)
}

// eventError is an event of a native stream that is our envelope.
type eventError []byte

func (e eventError) Error() string { return string(e) }

// readNative reads a native stream as a careful program would.
func readNative(body io.Reader, s *sight) error {
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case !ok:
			continue
		case data == "[DONE]":
			s.Finish = "[DONE]"
			continue
		}
		var event struct {
			Response string          `json:"response"`
			Error    json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return err
		}
		if event.Error != nil {
			return eventError(data)
		}
		s.Text += event.Response
	}
	return lines.Err()
}

func describeCloudflareGo(err error, s *sight) {
	var refused *cloudflare.Error
	var event eventError
	switch {
	case errors.As(err, &refused):
		s.Class, s.Status = "*cloudflare.Error", refused.StatusCode
		s.Code, s.Message = strconv.FormatInt(refused.Errors[0].Code, 10), refused.Errors[0].Message
		s.RequestID = refused.Response.Header.Get("X-Request-Id")
	case errors.As(err, &event):
		s.Class = anEvent
		readEnvelope(event, s)
	default:
		s.Class, s.Message = fmt.Sprintf("%T", err), err.Error()
	}
}
