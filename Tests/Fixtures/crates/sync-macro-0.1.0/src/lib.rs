use proc_macro::TokenStream;

/// Expands to the number of tokens it is given.
#[proc_macro]
pub fn count_tokens(input: TokenStream) -> TokenStream {
    format!("{}usize", input.into_iter().count()).parse().unwrap()
}
