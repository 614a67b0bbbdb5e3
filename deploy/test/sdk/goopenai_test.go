package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sashabaranov/go-openai"
)

// headerTransport puts headers on every request: go-openai has no option for it.
type headerTransport map[string]string

func (h headerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func goOpenAIChat(ctx context.Context, e errand, s *sight) error {
	config := openai.DefaultConfig(e.Key)
	config.BaseURL = e.URL + "/v1"
	config.HTTPClient = &http.Client{Transport: headerTransport(e.Header)}
	client := openai.NewClientWithConfig(config)
	request := openai.ChatCompletionRequest{
		Model:    model,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: question}},
	}
	if !e.Stream {
		answer, err := client.CreateChatCompletion(ctx, request)
		if err != nil {
			return err
		}
		s.Text, s.Finish = answer.Choices[0].Message.Content, string(answer.Choices[0].FinishReason)
		return nil
	}
	stream, err := client.CreateChatCompletionStream(ctx, request)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, choice := range chunk.Choices {
			s.Text += choice.Delta.Content
			s.Finish += string(choice.FinishReason)
		}
	}
}

func describeGoOpenAI(err error, s *sight) {
	var refused *openai.APIError
	if !errors.As(err, &refused) {
		s.Class, s.Message = fmt.Sprintf("%T", err), err.Error()
		return
	}
	s.Class, s.Status, s.Message = "*openai.APIError", refused.HTTPStatusCode, refused.Message
	s.Code, _ = refused.Code.(string)
}
