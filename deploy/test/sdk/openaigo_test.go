package sdk

import (
	"context"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"

	"github.com/neuronward/neuronward/normalize"
)

func newOpenAIGo(e errand) openai.Client {
	options := []option.RequestOption{option.WithBaseURL(e.URL + "/v1"), option.WithAPIKey(e.Key)}
	for name, value := range e.Header {
		options = append(options, option.WithHeader(name, value))
	}
	return openai.NewClient(options...)
}

func openAIGoChat(ctx context.Context, e errand, s *sight) error {
	client := newOpenAIGo(e)
	params := openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
	}
	if !e.Stream {
		answer, err := client.Chat.Completions.New(ctx, params)
		if err != nil {
			return err
		}
		s.Text, s.Finish = answer.Choices[0].Message.Content, answer.Choices[0].FinishReason
		return nil
	}
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			s.Text += choice.Delta.Content
			s.Finish += choice.FinishReason
		}
	}
	return stream.Err()
}

func openAIGoResponses(ctx context.Context, e errand, s *sight) error {
	client := newOpenAIGo(e)
	params := responses.ResponseNewParams{
		Model: model,
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(question)},
	}
	if !e.Stream {
		answer, err := client.Responses.New(ctx, params)
		if err != nil {
			return err
		}
		s.Text, s.Finish = answer.OutputText(), string(answer.Status)
		return nil
	}
	stream := client.Responses.NewStreaming(ctx, params)
	for stream.Next() {
		switch event := stream.Current(); event.Type {
		case "response.output_text.delta":
			s.Text += event.Delta
		case "response.completed":
			s.Finish = string(event.Response.Status)
		}
	}
	return stream.Err()
}

// describeOpenAIGo reads an error as the SDK's documentation says to. The event of a stream's error is our envelope.
func describeOpenAIGo(err error, s *sight) {
	var refused *openai.Error
	var interrupted *ssestream.StreamError
	switch {
	case errors.As(err, &refused):
		s.Class, s.Status, s.Code, s.Message = "*openai.Error", refused.StatusCode, refused.Code, refused.Message
		s.RequestID = refused.Response.Header.Get("X-Request-Id")
	case errors.As(err, &interrupted):
		s.Class, s.Message = "*ssestream.StreamError", interrupted.Message
		readEnvelope(interrupted.Event.Data, s)
	default:
		s.Class, s.Message = fmt.Sprintf("%T", err), err.Error()
	}
}

// readEnvelope reads our own envelope where an SDK hands out bytes and no fields, as a program in Go would.
func readEnvelope(body []byte, s *sight) {
	if f, ok := normalize.Parse(body); ok {
		s.Code, s.Message, s.RequestID = f.Word(), f.Message, f.RequestID
	}
}
